// A browser, and pages that are watched for what no page may do.
import { chromium } from "playwright-core";
import { mkdirSync } from "node:fs";
import assert from "node:assert/strict";
import path from "node:path";
import { scratch } from "./trm.js";

const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

export function launch() {
  const executablePath = process.env.CHROMIUM || "/usr/bin/chromium";
  return chromium.launch({ executablePath, args: flags, timeout: 60_000 });
}

/** Opens the page. `close` fails if it wrote to the console or asked another host. */
export async function open(browser, address, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, permissions: ["clipboard-read", "clipboard-write"], ...options });
  context.setDefaultTimeout(60_000);
  const page = await context.newPage(), faults = [];
  page.on("console", message => ["error", "warning"].includes(message.type()) && faults.push(message.text()));
  page.on("pageerror", error => faults.push(String(error)));
  page.on("request", request => {
    const url = new URL(request.url());
    if (!["data:", "blob:"].includes(url.protocol) && url.host !== new URL(address).host) faults.push(`asked ${url}`);
  });
  await page.goto(address);
  await page.waitForFunction(() => document.querySelectorAll("#question .cell").length > 0);
  const close = async (expected = /^$/) => {
    await context.close();
    assert.deepEqual(faults.filter(fault => !expected.test(fault)), []);
  };
  return { page, close };
}

/** Types symbols into the puzzle, from its first cell on. */
export async function type(page, symbols) {
  await page.locator("#question .cell").first().focus();
  for (const symbol of symbols) await page.keyboard.press(symbol === " " ? "ArrowRight" : symbol);
}

/** Presses Think and waits for the end of all that thinks. */
export async function think(page) {
  await page.click("#solve");
  await ended(page);
}
export function ended(page) {
  return page.waitForFunction(() => document.querySelector("#stop").getAttribute("aria-disabled") === "true"
    && document.querySelector("#draft .verdict").textContent !== "thinking …");
}

export async function cells(page, grid = "#draft .grid") {
  return page.locator(`${grid} .cell`).allTextContents();
}
export async function verdict(page, panel = "#draft") {
  return page.locator(`${panel} .verdict`).first().textContent();
}
/** How many drafts the slider has. */
export async function drafts(page, panel = "#draft") {
  return 1 + Number(await page.locator(`${panel} .step`).getAttribute("max"));
}
export async function picture(page, name) {
  const folder = path.join(scratch, "screenshots");
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true });
}
