// The page without a server: files that `trm export --to web` writes, given out by a host that knows nothing of models.
import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { models, program, root, scratch, trm } from "./trm.js";
import { cells, drafts, launch, open, picture, think, type, verdict } from "./page.js";

const runtime = fileURLToPath(new URL("node_modules/onnxruntime-web/dist", import.meta.url));
const HARD = "8..........36......7..9.2...5...7.......457.....1...3...1....68..85...1..9....4..";
const KINDS = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm", ".json": "application/json" };

/** A host of static files. */
async function host(folder) {
  const server = createServer((request, response) => {
    const name = path.basename(new URL(request.url, "http://host/").pathname) || "index.html", file = path.join(folder, name);
    if (!existsSync(file)) { response.statusCode = 404; return response.end(); }
    response.setHeader("content-type", KINDS[path.extname(name)] ?? "application/octet-stream").end(readFileSync(file));
  });
  await new Promise(ready => server.listen(0, "127.0.0.1", ready));
  const stop = () => new Promise(done => { server.close(done); server.closeAllConnections(); });
  return { address: `http://127.0.0.1:${server.address().port}/`, stop };
}
function exported(name, model, ...words) {
  const folder = path.join(scratch, name);
  rmSync(folder, { recursive: true, force: true });
  trm("export", model, "--to", "web", ...words, "--out", folder);
  return folder;
}
/** What the program answers to a puzzle. */
function answer(model, puzzle) {
  let told;
  try { told = execFileSync(program, ["solve", model, puzzle, "--one-pass", "--precision", "f32", "--json"], { cwd: root }); }
  catch (error) { told = error.stdout; } // exit code 1: not solved
  return JSON.parse(told);
}

let browser;
before(async () => { browser = await launch(); });
after(() => browser?.close());

test("a hard Sudoku is solved in the browser as trm solve --one-pass solves it, within three seconds", async () => {
  const model = path.join(root, "models/sudoku-extreme"), files = await host(exported("web", model, "--runtime", runtime));
  const { page, close } = await open(browser, files.address);
  assert.match(await page.textContent("#manner"), /there is no search/);
  assert.equal(await page.isVisible("#alone"), false);
  await page.click("text=Cruel");
  const puzzle = (await cells(page, "#question")).map(symbol => symbol || ".").join("");
  await think(page); // the model is loaded
  const told = answer(model, puzzle);
  const started = performance.now();
  await think(page);
  const seconds = (performance.now() - started) / 1000;
  console.log(`${await verdict(page)}; ${seconds.toFixed(2)} s with the page`);
  assert.equal((await cells(page)).join(""), told.answer);
  assert.match(await verdict(page), /^✓ solved: all 27 rows, columns and boxes right/);
  assert.ok(seconds < 3, `${seconds} s`);
  assert.ok(await drafts(page) > 1);
  await picture(page, "web");
  await close();
  await files.stop();
});

test("an answer that is wrong is told, and a question that is none is refused in its cells", async () => {
  const files = await host(exported("web-int8", path.join(root, "models/sudoku-extreme"), "--weights", "int8", "--runtime", runtime));
  const { page, close } = await open(browser, files.address);
  await page.click("#clear");
  await type(page, HARD.slice(0, 30));
  await think(page);
  assert.match(await verdict(page), /^(✓ solved|✗ not solved: )/);
  await page.click("#clear");
  await type(page, "1..1");
  await think(page);
  assert.match(await page.textContent("#complaint"), /^the puzzle: two 1s in row 1 \(columns 1 and 4\)/);
  const bad = await page.locator("#question .cell").evaluateAll(cells => cells.flatMap((cell, i) => cell.classList.contains("bad") ? [i] : []));
  assert.deepEqual(bad, [0, 3]);
  await close();
  await files.stop();
});

test("mazes are judged, and own puzzles are answered", async () => {
  for (const [name, model, says] of [["web-maze", path.join(models, "maze"), /path/], ["web-matrix", path.join(root, "examples/transition-systems/model"), /not checked/]]) {
    const files = await host(exported(name, model, "--runtime", runtime)), { page, close } = await open(browser, files.address);
    await page.click(name === "web-maze" ? "text=Random maze" : "summary");
    if (name === "web-matrix") await page.fill("#text", `#${".".repeat(15)}\n`.repeat(16));
    if (name === "web-matrix") await page.click("#read");
    await think(page);
    assert.match(await verdict(page), says);
    await close();
    await files.stop();
  }
});

test("without the runtime one line says what is missing", async () => {
  const folder = exported("web-bare", path.join(root, "models/sudoku-extreme")), files = await host(folder), page = await browser.newPage();
  await page.goto(files.address);
  await page.waitForFunction(() => /onnxruntime-web is missing: put ort.wasm.min.js/.test(document.querySelector("#complaint").textContent));
  await page.close();
  await files.stop();
});
