// Drafts are watched: the slider, the chains of a search, and a model beside that writes cell by cell.
import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { cells, drafts, ended, launch, open, picture, think, verdict } from "./page.js";
import { cellByCell, search, standin } from "./standin.js";
import path from "node:path";
import { models, serve } from "./trm.js";

let browser;
before(async () => { browser = await launch(); });
after(() => browser?.close());

test("the slider and Play go through the drafts of the shipped model", async () => {
  const server = await serve(), { page, close } = await open(browser, server.address);
  await page.click("button:text-is(\"Cruel\")");
  await think(page);
  const many = await drafts(page);
  assert.ok(many >= 5, `${many} drafts`);
  const where = () => page.textContent("#draft .where");
  await page.locator("#draft .step").focus();
  await page.keyboard.press("Home");
  assert.equal(await where(), "step 1");
  await page.keyboard.press("ArrowRight");
  assert.equal(await where(), "step 2");
  assert.ok(await page.locator("#draft .changed").count() > 0, "changed cells");
  const shade = await page.locator("#draft .cell:not(.given)").first().evaluate(cell => cell.style.background);
  assert.match(shade, /color-mix/);
  await page.click("#draft .play");
  await page.waitForFunction(() => document.querySelector("#draft .where").textContent.startsWith("step 4"));
  assert.equal(await page.textContent("#draft .play"), "Pause");
  await page.click("#draft .play");
  const paused = await where();
  await page.waitForTimeout(900);
  assert.equal(await where(), paused);
  assert.ok((await page.locator("#curve polyline").getAttribute("points")).split(" ").length === many);
  await close();
  await server.stop();
});

test("the chains of a search are shown with what they supposed", async () => {
  const server = await standin(body => body.model === "four" ? search(100) : cellByCell());
  const { page, close } = await open(browser, server.address, { colorScheme: "dark" });
  await think(page);
  const chains = page.locator(".chains tbody tr");
  assert.equal(await chains.count(), 64);
  assert.deepEqual(await chains.last().locator("td").allTextContents(), ["100", "r2c2\u00a0=\u00a03, r1c2\u00a0=\u00a03", "16", "✓ right"]);
  await chains.nth(62).locator("input").check();
  assert.equal(await page.textContent("#draft .where"), "end of chain 99");
  assert.equal(await page.locator("#draft .supposed").count(), 2);
  await page.keyboard.press("ArrowDown");
  assert.equal(await page.textContent("#draft .where"), "end of chain 100 ✓");
  await picture(page, "chains-wide-dark");
  await page.locator("#draft .step").press("Home");
  assert.equal(await page.textContent("#draft .where"), "step 1");
  assert.equal(await page.locator(".chains input:checked").count(), 0);
  await close();
  await server.stop();
});

test("Stop ends a search", async () => {
  const server = await standin(() => search(5000)), { page, close } = await open(browser, server.address);
  await page.click("#solve");
  await page.waitForSelector(".chains tbody tr:nth-child(9)");
  await page.click("#stop");
  await ended(page);
  const before = await page.locator(".chains tbody").textContent();
  await page.waitForTimeout(300);
  assert.equal(await page.locator(".chains tbody").textContent(), before);
  assert.deepEqual([await verdict(page), await page.textContent("#complaint")], ["", ""]);
  await close();
  await server.stop();
});

test("chains of a real search are shown", async () => {
  const server = await serve(path.join(models, "six")), { page, close } = await open(browser, server.address);
  await think(page);
  const [first, second] = await page.locator(".chains tbody tr").allTextContents();
  assert.match(first, /^1nothing\d+✗ wrong$/);
  assert.match(second, /^2(nothing|(r\dc\d\s=\s[\d?](, )?)+)\d+✗ wrong$/);
  await page.locator(".chains input").nth(1).check();
  assert.equal(await page.textContent("#draft .where"), "end of chain 2");
  await close();
  await server.stop();
});

test("a real autoregressive model writes every open cell beside a recursive one", async () => {
  const server = await serve(...["four", "four-cells"].map(name => path.join(models, name)));
  const { page, close } = await open(browser, server.address);
  await think(page);
  assert.match(await verdict(page), /^✓ solved.* step/);
  assert.match(await verdict(page, "#beside"), /^[✓✗] .*; 12 cells, \d/);
  assert.equal(await drafts(page, "#beside"), 12);
  await page.locator("#beside .step").press("Home");
  assert.equal(await page.textContent("#beside .where"), "cell 1");
  assert.equal(await page.locator("#beside .changed").count(), 1);
  await picture(page, "beside-real");
  await close();
  await server.stop();
});

test("an autoregressive model writes beside, and its first wrong cell is marked", async () => {
  const server = await standin(body => body.model === "four" ? search(1) : cellByCell());
  const { page, close } = await open(browser, server.address);
  assert.match(await page.textContent("#beside h2"), /Written cell by cell by four-cells \(200,000 parameters\)/);
  await think(page);
  assert.deepEqual(server.asked.map(Object.keys), Array(2).fill(["model", "puzzle", "drafts"]));
  assert.match(await verdict(page), /^✓ solved.*16 steps, 321 ms/);
  assert.match(await verdict(page, "#beside"), /^✗ .*12 cells, 321 ms/);
  assert.match(await page.textContent("#beside .mistake"), /r2c1, the 4th/);
  assert.deepEqual([await drafts(page), await drafts(page, "#beside")], [4, 12]);
  assert.equal(await page.locator("#beside .bad").count(), 1);
  await picture(page, "beside");
  await page.locator("#beside .step").press("Home");
  assert.equal(await page.locator("#beside .bad").count(), 0);
  assert.equal((await cells(page, "#beside .grid")).join(""), "13342");
  assert.equal((await cells(page)).join(""), "1324423124133142", "the other panel stays where it was");
  await close();
  await server.stop();
});

test("an autoregressive model that is chosen has the panel of drafts, without a curve", async () => {
  const server = await standin(() => cellByCell()), { page, close } = await open(browser, server.address);
  await page.selectOption("#model", "four-cells");
  for (const hidden of ["#beside", "#halting", "#alone"]) assert.ok(await page.isHidden(hidden), hidden);
  await think(page);
  assert.equal(await page.textContent("#draft .where"), "cell 12");
  assert.match(await verdict(page), /^✗ .*12 cells/);
  await close();
  await server.stop();
});
