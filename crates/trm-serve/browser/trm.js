// The program under test: `trm`, and `trm serve` on a free port.
import { spawn, execFileSync } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import path from "node:path";

export const root = fileURLToPath(new URL("../../..", import.meta.url));
const target = path.resolve(root, process.env.CARGO_TARGET_DIR || "target");
export const program = path.resolve(root, process.env.TRM || path.join(target, "debug", "trm"));
/** Where models and screenshots go; git knows nothing of it. */
export const scratch = path.join(target, "browser");
export const models = path.join(scratch, "models");

/** Runs the program; what it says is shown if it fails. */
export function trm(...words) {
  execFileSync(program, words, { cwd: root, stdio: "pipe" });
}

const running = new Set();
process.on("exit", () => running.forEach(child => child.kill("SIGKILL")));

/** Starts `trm serve`; gives its address and how to end it. */
export async function serve(...words) {
  const child = spawn(program, ["serve", "--port", "0", ...words], { cwd: root, stdio: ["ignore", "ignore", "pipe"] });
  running.add(child);
  const exited = new Promise(resolve => child.once("exit", resolve)).then(() => running.delete(child));
  const said = [];
  const address = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", code => reject(new Error(`trm serve ended with ${code}: ${said.join("\n")}`)));
    createInterface(child.stderr).on("line", line => {
      said.push(line);
      const found = /listening at (http:\S+)/.exec(line);
      if (found) resolve(found[1]);
    });
  });
  const stop = signal => { child.kill(signal); return exited; };
  return { address, stop: () => stop("SIGTERM"), kill: () => stop("SIGKILL") };
}
