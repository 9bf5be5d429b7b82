// A puzzle leaves the page as a link, as text and as a file, and comes back.
import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { models, serve } from "./trm.js";
import { cells, launch, open, think, type } from "./page.js";

let browser, server;
before(async () => {
  browser = await launch();
  server = await serve(path.join(models, "six"), path.join(models, "four"));
});
after(async () => { await browser?.close(); await server?.stop(); });

test("a link brings model and puzzle back", async () => {
  const { page, close } = await open(browser, server.address);
  await page.selectOption("#model", "four");
  await page.click("#clear");
  await type(page, "1.....3..4.....2");
  const asked = await cells(page, "#question");
  await page.click("summary");
  await page.click("#link");
  const link = await page.evaluate(() => navigator.clipboard.readText());
  await close();
  const second = await open(browser, server.address);
  await second.page.selectOption("#model", "six");
  await second.page.goto(link);
  await second.page.waitForFunction(() => document.querySelectorAll("#question .cell").length === 16);
  assert.equal(await second.page.inputValue("#model"), "four");
  assert.deepEqual(await cells(second.page, "#question"), asked);
  await second.page.goto(link.replace("model=four", "model=none"));
  await second.page.waitForFunction(() => /the model none/.test(document.querySelector("#complaint").textContent));
  await second.close();
});

test("a puzzle is copied as text, and the drafts are downloaded", async () => {
  const { page, close } = await open(browser, server.address);
  await page.selectOption("#model", "four");
  await page.click("summary");
  await page.click("#copy");
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "1...\n..3.\n.4..\n...2");
  await think(page);
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save")]);
  assert.equal(download.suggestedFilename(), "drafts.json");
  const saved = JSON.parse(readFileSync(await download.path(), "utf8"));
  assert.equal(saved.model, "four");
  assert.ok(saved.drafts.length > 0 && saved.answer.solved);
  await close();
});
