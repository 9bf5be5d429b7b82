// The page is for everybody: small screens, dark and light, by keyboard, for screen readers.
import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { models, serve } from "./trm.js";
import { cells, ended, launch, open, picture, think, type, verdict } from "./page.js";
import { cellByCell, search, standin } from "./standin.js";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let browser, server;
before(async () => {
  browser = await launch();
  server = await serve(path.join(models, "four"), path.join(models, "colours"));
});
after(async () => { await browser?.close(); await server?.stop(); });

async function check(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  assert.deepEqual(violations.map(one => [one.id, one.nodes.slice(0, 3).map(node => `${node.html}: ${node.failureSummary}`)]), []);
}
const overflows = page => page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

for (const colorScheme of ["light", "dark"]) {
  for (const width of [360, 1280]) {
    test(`${width} pixels wide and ${colorScheme}: nothing sticks out, and axe finds no fault`, async () => {
      const both = await standin(body => body.model === "four" ? search(20) : cellByCell());
      const { page, close } = await open(browser, both.address, { colorScheme, viewport: { width, height: 800 } });
      await page.click("summary");
      await think(page);
      await page.locator(".chains tr").last().locator("input").check();
      await type(page, "x").catch(() => {});
      assert.equal(await overflows(page), false);
      await check(page);
      await picture(page, `all-${width}-${colorScheme}`);
      await close();
      await both.stop();
    });
  }
}

test("ARC's colours can be read in both schemes, and fit a phone", async () => {
  for (const colorScheme of ["light", "dark"]) {
    const { page, close } = await open(browser, server.address, { colorScheme, viewport: { width: 360, height: 800 } });
    await page.selectOption("#model", "colours");
    await page.click("summary");
    await page.fill("#text", "01234\n56789\n10101");
    await page.click("#read");
    await think(page);
    assert.equal(await overflows(page), false);
    await check(page);
    await picture(page, `arc-360-${colorScheme}`);
    await close();
  }
});

test("the keyboard alone does everything, and is trapped nowhere", async () => {
  const { page, close } = await open(browser, server.address, { reducedMotion: "reduce" });
  await page.selectOption("#model", "four");
  await page.evaluate(() => document.activeElement.blur());
  const seen = [];
  const here = () => page.evaluate(() => document.activeElement.id || document.activeElement.className || document.activeElement.tagName);
  for (let i = 0; i < 30 && seen.at(-1) !== "BODY"; i++) {
    await page.keyboard.press("Tab");
    seen.push(await here());
  }
  for (const stop of ["model", "cell", "solve", "stop", "clear", "alone", "SUMMARY"]) assert.ok(seen.some(id => id.split(" ").includes(stop)), `${stop}: ${seen}`);
  assert.ok(seen.includes("BODY"), `Tab leaves the page: ${seen}`);
  await page.focus("#clear");
  await page.keyboard.press("Enter");
  while (await here() !== "cell") await page.keyboard.press("Shift+Tab");
  for (const symbol of "1.....3..4.....2") await page.keyboard.press(symbol);
  await page.keyboard.press("Home");
  assert.equal((await cells(page, "#question")).join(""), "1342");
  await page.keyboard.press("Tab");
  assert.equal(await here(), "solve");
  await page.keyboard.press("Enter");
  await ended(page);
  assert.match(await verdict(page), /^✓ solved/);
  await page.keyboard.press("Tab");
  assert.equal(await here(), "stop");
  await close();
});

test("a symbol is chosen in the palette with arrow keys and drawn with Enter", async () => {
  const { page, close } = await open(browser, server.address);
  await page.selectOption("#model", "four");
  await page.click("#clear");
  await page.locator("#palette button").first().focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  assert.equal(await page.locator("#palette [aria-pressed=true]").textContent(), "1");
  await page.keyboard.press("Tab");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  assert.equal((await cells(page, "#question"))[4], "1");
  await close();
});
