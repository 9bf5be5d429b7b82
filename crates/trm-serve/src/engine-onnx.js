"use strict";
// The engine of the page where there is no server: the model thinks in this browser. It is one supervision step as an
// ONNX file; this script reads puzzles, takes the steps, judges drafts, and stops when one is right or the model is sure.
// One chain, no search.
window.trmEngine = (() => {
  const SURE = Math.log(.95 / .05); // as `trm solve --one-pass`
  const MISSING = "onnxruntime-web is missing: put ort.wasm.min.js, ort-wasm-simd-threaded.mjs and ort-wasm-simd-threaded.wasm "
    + "beside this page; they are in package/dist of `npm pack onnxruntime-web@1.30.0`";
  const sessions = new Map();
  let models = [];

  function session(model) {
    // weights that are stored as int8 become f32 once, not in every step
    const options = { executionProviders: ["wasm"], graphOptimizationLevel: "all", extra: { session: { disable_quant_qdq: "1" } } };
    if (!sessions.has(model.id)) sessions.set(model.id, ort.InferenceSession.create(model.onnx.file, options));
    return sessions.get(model.id);
  }

  /** The tokens of a puzzle as text: symbols, numbered from 1. */
  function tokensOf(model, text) {
    const long = model.symbols.some(symbol => symbol.length > 1);
    const symbols = long ? text.trim().split(/\s+/) : [...text.replace(/[\n/]/g, "")];
    if (symbols.length !== model.cells) throw new Error(`the puzzle: ${symbols.length} cells instead of ${model.cells}`);
    return symbols.map((symbol, i) => {
      const token = 1 + model.symbols.indexOf(symbol);
      if (!token) throw new Error(`the puzzle: ${symbol} in row ${Math.floor(i / model.columns) + 1} column ${i % model.columns + 1} is no symbol`);
      return token;
    });
  }
  const symbolOf = (model, token) => model.symbols[token - 1] ?? "?";
  const line = (model, tokens) => tokens.map(token => symbolOf(model, token)).join(model.symbols.some(symbol => symbol.length > 1) ? " " : "");
  function rowsOf(model, tokens) {
    const cells = tokens.map(token => symbolOf(model, token)), rows = [];
    for (let i = 0; i < cells.length; i += model.columns) rows.push(cells.slice(i, i + model.columns));
    return rows;
  }

  // Rules: `check` refuses questions, `judge` says whether an answer is right, in words too. Tokens of Sudoku: 1 blank,
  // then digits; of mazes: symbols.
  const RULES = {
    sudoku: {
      units({ columns: n, boxes: [high, wide] }) {
        const all = [...Array(n).keys()], cell = (row, column) => row * n + column;
        const inBox = (box, i) => cell(Math.floor(box / (n / wide)) * high + Math.floor(i / wide), box % (n / wide) * wide + i % wide);
        return [["row", (unit, i) => cell(unit, i)], ["column", (unit, i) => cell(i, unit)], ["box", inBox]]
          .flatMap(([kind, place]) => all.map(unit => ({ name: `${kind} ${unit + 1}`, kind, cells: all.map(i => place(unit, i)) })));
      },
      check(model, question) {
        const at = (cell, part) => part === "row" ? Math.floor(cell / model.columns) + 1 : cell % model.columns + 1;
        for (const { name, kind, cells } of this.units(model)) {
          for (const second of cells) {
            const first = cells.find(cell => question[cell] === question[second]);
            if (question[second] < 2 || first === second) continue;
            const places = kind === "row" ? `columns ${at(first)} and ${at(second)}` : kind === "column" ? `rows ${at(first, "row")} and ${at(second, "row")}`
              : [first, second].map(cell => `row ${at(cell, "row")} column ${at(cell)}`).join(" and ");
            return `two ${symbolOf(model, question[second])}s in ${name} (${places}): correct or remove one`;
          }
        }
      },
      judge(model, question, answer) {
        const units = this.units(model), blanks = answer.filter(token => token < 2).length;
        const wrong = units.filter(({ cells }) => new Set(cells.map(cell => answer[cell]).filter(token => token >= 2)).size < model.columns).length;
        const changed = question.filter((token, i) => token >= 2 && answer[i] !== token).length;
        const faults = [wrong && `${wrong} of ${units.length} rows, columns and boxes wrong`, changed && `${changed} ${changed === 1 ? "given" : "givens"} changed`,
          blanks && `${blanks} ${blanks === 1 ? "cell" : "cells"} blank`].filter(Boolean);
        return { right: !faults.length, words: faults.length ? `not solved: ${faults.join(", ")}` : `solved: all ${units.length} rows, columns and boxes right` };
      },
    },
    maze: {
      beside(model, cell) {
        const { columns, cells } = model, column = cell % columns;
        return [cell + columns < cells && cell + columns, column > 0 && cell - 1, column < columns - 1 && cell + 1, cell >= columns && cell - columns]
          .filter(next => next !== false);
      },
      /** The shortest path between the ends as a breadth-first search finds it: the cells between them. */
      shortest(model, question) {
        const of = symbol => question.indexOf(1 + model.symbols.indexOf(symbol)), [start, goal, wall] = [of("S"), of("G"), 1 + model.symbols.indexOf("#")];
        const from = new Map([[start, null]]), queue = [start];
        for (const cell of queue) for (const next of this.beside(model, cell)) {
          if (question[next] === wall || from.has(next)) continue;
          from.set(next, cell);
          queue.push(next);
        }
        if (!from.has(goal)) return null;
        const path = [];
        for (let cell = from.get(goal); cell !== null && cell !== start; cell = from.get(cell)) path.push(cell);
        return { start, goal, path };
      },
      check(model, question) {
        for (const [symbol, what] of [["S", "start"], ["G", "goal"]]) {
          const many = question.filter(token => symbolOf(model, token) === symbol).length;
          if (many !== 1) return `${many ? `${many} cells are` : "no cell is"} ${symbol}, the ${what}: a maze has one`;
        }
        return this.shortest(model, question) ? undefined : "no path leads from S to G";
      },
      judge(model, question, answer) {
        const { start, goal, path } = this.shortest(model, question), none = { right: false, words: "no path from S to G" };
        const mark = 1 + model.symbols.indexOf("o"), free = 1 + model.symbols.indexOf(".");
        if (answer.some((token, i) => token !== question[i] && !(token === mark && question[i] === free))) return none;
        const marks = answer.filter(token => token === mark).length;
        let before = start, cell = start;
        for (let i = 0; i < marks; i++) {
          const next = this.beside(model, cell).filter(one => answer[one] === mark && one !== before);
          if (next.length !== 1) return none;
          [before, cell] = [cell, next[0]];
        }
        if (!this.beside(model, cell).includes(goal)) return none;
        const more = marks - path.length, ruled = path.every(one => answer[one] === mark);
        if (more) return { right: false, words: `a path, ${more} ${more === 1 ? "cell" : "cells"} longer than needed` };
        return { right: true, words: `a shortest path, ${ruled ? "" : "not "}that of the labelling rule` };
      },
    },
  };
  const unchecked = { check() {}, judge() { return { right: null, words: "not checked: there are no rules to check by" }; } };

  /** The likeliest token of every cell, and how sure the model is of it. */
  function read(logits, cells) {
    const wide = logits.length / cells, answer = [], sureness = [];
    for (let cell = 0; cell < cells; cell++) {
      const own = logits.subarray(cell * wide, (cell + 1) * wide), largest = Math.max(...own);
      answer.push(own.indexOf(largest));
      sureness.push(1 / own.reduce((sum, logit) => sum + Math.exp(logit - largest), 0));
    }
    return { answer, sureness };
  }
  function filled(vector, tokens) {
    const state = new Float32Array(tokens * vector.length);
    for (let token = 0; token < tokens; token++) state.set(vector, token * vector.length);
    return new ort.Tensor("float32", state, [1, tokens, vector.length]);
  }

  return {
    alone: true,
    async models() {
      if (!window.ort) throw new Error(MISSING);
      ort.env.logLevel = "error";
      ort.env.wasm.numThreads = 1; // more need headers that a plain host does not send
      const response = await fetch("models.json").catch(() => null);
      if (!response || !response.ok) throw new Error("models.json is missing: serve the whole folder that `trm export --to web` has written");
      models = (await response.json()).data;
      session(models[0]).catch(() => {}); // told when it is needed
      return models;
    },
    async solve(body, signal, hear) {
      const model = models.find(one => one.id === body.model), rules = RULES[/^[a-z]*/.exec(model.kind)[0]] ?? unchecked;
      const question = tokensOf(model, body.puzzle), fault = rules.check(model, question);
      if (fault) throw new Error(`the puzzle: ${fault}`);
      const thinking = await session(model).catch(error => { throw new Error(`${model.onnx.file} cannot be run: ${error.message}`); });
      const feeds = { tokens: new ort.Tensor("int64", BigInt64Array.from(question, BigInt), [1, question.length]),
        y: filled(model.onnx.y, model.onnx.tokens), z: filled(model.onnx.z, model.onnx.tokens) };
      if (thinking.inputNames.includes("puzzle")) feeds.puzzle = new ort.Tensor("int64", BigInt64Array.of(0n), [1]);
      const started = performance.now();
      let before = question;
      for (let step = 1; step <= model.steps && !signal.aborted; step++) {
        const told = await thinking.run(feeds, ["logits", "halt", "next_y", "next_z"]);
        [feeds.y, feeds.z] = [told.next_y, told.next_z];
        const { answer, sureness } = read(told.logits.data, model.cells), halt = told.halt.data[0], { right, words } = rules.judge(model, question, answer);
        const changed = [...answer.keys()].filter(i => answer[i] !== before[i]), halt_probability = 1 / (1 + Math.exp(-halt));
        before = answer;
        hear("draft", { puzzle: 0, chain: 1, step, answer: line(model, answer), rows: rowsOf(model, answer), sureness, halt_probability, changed, solved: right });
        const ends = right === true || halt > SURE || step === model.steps;
        if (ends) hear("answer", { puzzle: 0, question: line(model, question), answer: line(model, answer), solved: right, verdict: words, halt_probability, steps: step });
        if (ends) break;
        await new Promise(painted => setTimeout(painted));
      }
      hear("end", { seconds: (performance.now() - started) / 1000 });
    },
  };
})();
