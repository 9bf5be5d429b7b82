// Small models for the kinds of puzzles that have no shipped one: trained for seconds, kept until the program changes.
import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { models, program, root, trm } from "./trm.js";

const recipes = path.join(root, "recipes");
const data = name => path.join(models, "data", name);

function sudoku(size, more) {
  trm("data", "sudoku", "--size", String(size), "--train", size === 4 ? "1600" : "100", "--test", "100", "--seed", "1", ...more, "--out", data(`sudoku${size}`));
}

/** A task of ARC: the colours 1 and 2 change places. */
function arc() {
  const swap = rows => rows.map(row => row.map(colour => [0, 2, 1][colour] ?? colour));
  const pair = rows => ({ input: rows, output: swap(rows) });
  const train = [[[1, 2, 0], [0, 1, 2]], [[2, 2], [1, 0]], [[0, 1], [2, 1], [1, 1]]].map(pair);
  const file = path.join(models, "swap.json");
  writeFileSync(file, JSON.stringify({ train, test: [pair([[1, 0, 2], [2, 1, 0], [0, 0, 1]])] }));
  trm("data", "arc", "--test", file, "--augmentations", "4", "--out", data("arc"));
}

function train(name, recipe, set, steps) {
  const settings = { steps, warmup: 1, validation: 0, checkpoint_every: 0 };
  const words = Object.entries(settings).flatMap(([key, value]) => ["--set", `train.${key}=${value}`]);
  trm("train", path.join(recipes, recipe), "--data", data(set), ...words, "--out", path.join(models, name));
}

function make() {
  rmSync(models, { recursive: true, force: true });
  mkdirSync(path.join(models, "data"), { recursive: true });
  sudoku(4, ["--givens", "4-8"]);
  sudoku(6, []);
  trm("data", "maze", "--size", "11", "--train", "50", "--test", "5", "--path", "16", "--out", data("maze11"));
  arc();
  train("four", "sudoku4.toml", "sudoku4", 400);
  train("four-cells", "sudoku4-autoregressive.toml", "sudoku4", 100);
  train("six", "sudoku6.toml", "sudoku6", 2);
  train("maze", "maze-small.toml", "maze11", 2);
  train("colours", "arc-tiny.toml", "arc", 2);
}

const made = path.join(models, "made");
if (!existsSync(made) || statSync(made).mtimeMs < statSync(program).mtimeMs) {
  make();
  writeFileSync(made, "");
}
