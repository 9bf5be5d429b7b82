// Every kind of puzzle is asked by hand, of the real server.
import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { models, root, serve } from "./trm.js";
import { cells, drafts, ended, launch, open, picture, think, type, verdict } from "./page.js";

const EASY = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79";
const ROUTES = ["3:9 2:6 5:1 1:4 4:8", "1:2 4:7 3:3 2:9 5:5", "5:6 1:1 2:8 4:2 3:7", "2:4 3:5 1:9 5:3 4:6", "4:3 5:8 2:2 3:1 1:7"];
let browser, server;
before(async () => {
  browser = await launch();
  server = await serve(...["four", "six", "maze", "colours"].map(name => path.join(models, name)), path.join("examples", "job-shop", "model"));
});
after(async () => { await browser?.close(); await server?.stop(); });

async function choose(page, model) {
  await page.selectOption("#model", model);
  await page.click("#clear");
}

test("Sudoku 9×9 is typed, and the shipped model solves it without any argument", async () => {
  const shipped = await serve(), { page, close } = await open(browser, shipped.address);
  await page.click("#clear");
  await type(page, EASY);
  await think(page);
  assert.match(await verdict(page), /^✓ solved/);
  const answer = await cells(page);
  assert.equal(answer.length, 81);
  [...EASY].forEach((given, i) => given === "." || assert.equal(answer[i], given));
  await picture(page, "sudoku9-wide-light");
  await close();
  await shipped.stop();
});

test("Sudoku 4×4 is typed, thought about alone and with a search", async () => {
  const { page, close } = await open(browser, server.address);
  await choose(page, "four");
  await type(page, "1.....3..4.....2");
  await page.check("#alone");
  await think(page);
  assert.ok(await drafts(page) >= 1, "drafts of the model alone");
  await page.uncheck("#alone");
  await think(page);
  assert.equal((await cells(page)).join(""), "1324423124133142");
  assert.match(await verdict(page), /^✓ solved/);
  await close();
});

test("Sudoku 6×6 is typed, and the drafts of a beginner are judged", async () => {
  const { page, close } = await open(browser, server.address);
  await choose(page, "six");
  await type(page, ".....3.1.5...41625.2.3..56...4......");
  await page.check("#alone");
  await think(page);
  assert.equal((await cells(page)).length, 36);
  assert.ok(await drafts(page) >= 3, "three drafts");
  assert.match(await verdict(page), /^[✓✗] .*rows, columns and boxes/);
  await close();
});

test("walls of a maze are drawn with the mouse", async () => {
  const { page, close } = await open(browser, server.address);
  await choose(page, "maze");
  const cell = place => page.locator("#question .cell").nth(place);
  await page.getByRole("button", { name: "#", exact: true }).click();
  await cell(22).hover();
  await page.mouse.down();
  for (const place of [23, 24, 25]) await cell(place).hover();
  await page.mouse.up();
  await page.getByRole("button", { name: "#", exact: true }).click();
  await cell(0).focus();
  await page.keyboard.press("s");
  await cell(120).focus();
  await page.keyboard.press("g");
  assert.equal((await cells(page, "#question")).join("").replace(/[^#SG]/g, ""), "S####G");
  await page.check("#alone");
  await think(page);
  assert.ok(await drafts(page) >= 3, "three drafts");
  assert.notEqual(await verdict(page), "");
  await page.click("text=Random maze");
  await think(page);
  await picture(page, "maze");
  await close();
});

test("a grid of one's own is typed, symbols of several characters key by key", async () => {
  const { page, close } = await open(browser, server.address);
  await page.selectOption("#model", "model");
  await page.click("#solve");
  assert.match(await page.textContent("#complaint"), /25 cells are empty/);
  await page.locator("#question .cell").first().focus();
  for (const symbol of ROUTES.join(" ").split(" ")) await page.keyboard.type(symbol);
  await think(page);
  assert.deepEqual((await cells(page, "#question")).join(" "), ROUTES.join(" "));
  const answer = await cells(page);
  assert.ok(answer.every(rank => /^[1-6]$/.test(rank)), answer.join(" "));
  assert.match(await verdict(page), /not checked/);
  await picture(page, "job-shop");
  await close();
});

test("a task of ARC is dropped as a file of JSON", async () => {
  const { page, close } = await open(browser, server.address);
  await page.selectOption("#model", "colours");
  await drop(page, "swap.json", readFileSync(path.join(models, "swap.json"), "utf8"));
  await page.waitForFunction(() => document.querySelectorAll("#question .cell").length === 9);
  assert.equal((await cells(page, "#question")).join(""), "102210001");
  await think(page);
  assert.ok(await drafts(page) >= 3, "three drafts");
  assert.notEqual(await verdict(page), "");
  await picture(page, "arc");
  await drop(page, "broken.json", `{"test": [{"input": [[1, 12], [0, 3]]}]}`);
  await page.waitForSelector("#question .bad");
  assert.match(await page.textContent("#complaint"), /12 in row 1 column 2 is no symbol/);
  assert.equal(await page.locator("#question .cell").nth(1).getAttribute("aria-invalid"), "true");
  await drop(page, "broken.json", `{"test": [`);
  await page.waitForFunction(() => /JSON is broken/.test(document.querySelector("#complaint").textContent));
  await close();
});

async function drop(page, name, text) {
  const file = await page.evaluateHandle(([name, text]) => {
    const data = new DataTransfer();
    data.items.add(new File([text], name, { type: "application/json" }));
    return data;
  }, [name, text]);
  await page.dispatchEvent("#question", "drop", { dataTransfer: file });
}

test("a puzzle is pasted, and a preset is chosen", async () => {
  const { page, close } = await open(browser, server.address);
  await page.selectOption("#model", "four");
  await page.click("summary");
  await page.fill("#text", "1...\n..3.\n.4..\n...2\n");
  await page.click("#read");
  assert.equal((await cells(page, "#question")).join("."), "1......3...4......2");
  await page.evaluate(() => navigator.clipboard.writeText("....\n..3.\n.4..\n...2"));
  await page.locator("#question .cell").first().focus();
  await page.keyboard.press("Control+v");
  await page.waitForFunction(() => document.querySelector("#question .cell").textContent === "");
  await page.click("text=Easy");
  assert.equal(await page.locator("#question .cell").first().textContent(), "1");
  await page.click("#solve");
  await ended(page);
  assert.match(await verdict(page), /^✓ solved/);
  await close();
});
