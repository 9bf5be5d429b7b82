// What is wrong is said in one line, and marked where it is.
import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import path from "node:path";
import { models, serve } from "./trm.js";
import { launch, open, think, type, verdict } from "./page.js";
import { search, standin } from "./standin.js";

let browser, server;
before(async () => {
  browser = await launch();
  server = await serve(path.join(models, "four"));
});
after(async () => { await browser?.close(); await server?.stop(); });

const bad = page => page.locator("#question .cell").evaluateAll(cells => cells.flatMap((cell, i) => cell.classList.contains("bad") ? [i] : []));
const complaint = page => page.textContent("#complaint");
const REFUSED = /status of 422/, GONE = /ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE|ERR_CONNECTION_RESET/;

test("a key that is no symbol is marked in its cell", async () => {
  const { page, close } = await open(browser, server.address);
  await type(page, "1x");
  assert.deepEqual(await bad(page), [1]);
  assert.equal(await complaint(page), "x is no symbol of this puzzle: there are 1 2 3 4");
  await page.keyboard.press("2");
  assert.deepEqual(await bad(page), []);
  await close();
});

test("cells of a pasted text that have no symbol are marked, and wrong sizes are told", async () => {
  const { page, close } = await open(browser, server.address);
  await page.click("summary");
  await page.fill("#text", "1..7\n..3.\n.4..\nq..2");
  await page.click("#read");
  assert.deepEqual(await bad(page), [3, 12]);
  await page.fill("#text", "123");
  await page.click("#read");
  assert.match(await complaint(page), /1×3 cells: this model reads 4×4/);
  await close();
});

test("cells that the server refuses are marked", async () => {
  const { page, close } = await open(browser, server.address);
  for (const [puzzle, cells, says] of [
    ["1..1............", [0, 3], /two 1s in row 1/],
    ["1...........1...", [0, 12], /two 1s in column 1/],
    ["1....1..........", [0, 5], /two 1s in box 1/],
    ["1.....3..4......", [8], /several solutions: row 3 column 1/],
  ]) {
    await page.click("#clear");
    await type(page, puzzle);
    await think(page);
    assert.match(await complaint(page), says);
    assert.deepEqual(await bad(page), cells, puzzle);
    assert.equal(await verdict(page), "");
  }
  await close(REFUSED);
});

test("a server that is gone, and one that breaks off, are told in one line", async () => {
  const gone = await serve(path.join(models, "four")), { page, close } = await open(browser, gone.address);
  await gone.kill();
  await think(page);
  assert.equal(await complaint(page), "the server does not answer");
  assert.equal(await verdict(page), "");
  await close(GONE);
  const breaks = await standin(() => Object.assign(search(2).slice(0, 2), { breaks: true }));
  const second = await open(browser, breaks.address);
  await think(second.page);
  assert.match(await complaint(second.page), /^the server (does not answer|has stopped before the answer)$/);
  await second.close(GONE);
  await breaks.stop();
});
