// A server that speaks as `trm serve` does and says what a test wants, draft by draft.
import { createServer } from "node:http";
import { readFileSync } from "node:fs";

const page = readFileSync(new URL("../src/page.html", import.meta.url));
const QUESTION = "1.....3..4.....2", RIGHT = "1324423124133142";
const shared = { object: "model", domain: "sudoku4", kind: "sudoku", columns: 4, cells: 16, boxes: [2, 2],
  symbols: [".", "1", "2", "3", "4"], open: ".", looks: {}, any_size: false, has_rules: true, precision: "f32" };
const MODELS = [
  { ...shared, id: "four", architecture: "recursive", parameters: 50_000, steps: 8 },
  { ...shared, id: "four-cells", architecture: "autoregressive", parameters: 200_000, steps: 16 },
];
const rows = text => [0, 4, 8, 12].map(at => [...text.slice(at, at + 4)]);
const draft = (text, step, more) => ["draft", { puzzle: 0, chain: 1, step, answer: text, rows: rows(text),
  sureness: [...text].map((symbol, i) => symbol === "." ? 0 : (i + 1) / 16), changed: [], solved: text === RIGHT, ...more }];

/** A search of `chains` chains: the last one is right. */
export function search(chains) {
  const wrong = "1324423124133143", told = [];
  for (let step = 1; step <= 3; step++) told.push(draft(wrong, step, { halt_probability: step / 10, changed: step === 1 ? [1, 2, 15] : [15] }));
  for (let chain = 1; chain <= chains; chain++) {
    const last = chain === chains, supposed = chain === 1 ? [] : [{ cell: 5 + chain % 10, symbol: "3" }, { cell: 1, symbol: "3" }];
    const end = last ? RIGHT : wrong;
    told.push(["chain", { puzzle: 0, chain, steps: 16, supposed, answer: end, rows: rows(end), halt_probability: .1, solved: last ? true : chain % 2 ? false : null }]);
  }
  told.push(draft(RIGHT, 16, { chain: chains, halt_probability: .9, changed: [15] }));
  told.push(["answer", { puzzle: 0, question: QUESTION, answer: RIGHT, solved: true, verdict: "solved: all 12 rows, columns and boxes right",
    halt_probability: .9, steps: 16 * chains, verified: true, chains }]);
  return told;
}

/** Cell after cell; the fourth is wrong. */
export function cellByCell() {
  const told = [], now = [...QUESTION], answer = [...RIGHT];
  answer[4] = "2";
  [...now.keys()].filter(i => now[i] === ".").forEach((place, i) => {
    now[place] = answer[place];
    const { halt_probability, ...data } = draft(now.join(""), i + 1, { changed: [place], solved: null })[1];
    told.push(["draft", data]);
  });
  told.push(["answer", { puzzle: 0, question: QUESTION, answer: now.join(""), solved: false, verdict: "2 of 12 rows, columns and boxes are wrong",
    steps: told.length, probability: .4 }]);
  return told;
}

/** Starts it. `asked` gets the bodies of requests; `tell` says what to answer: a list of events, or a refusal. */
export async function standin(tell) {
  const asked = [];
  const server = createServer((request, response) => {
    const path = request.url.split("?")[0];
    if (path === "/") return response.setHeader("content-type", "text/html; charset=utf-8").end(page);
    response.setHeader("content-type", "application/json");
    if (path === "/v1/models") return response.end(JSON.stringify({ object: "list", data: MODELS }));
    let body = "";
    request.on("data", part => body += part).on("end", async () => {
      const wanted = JSON.parse(body), told = tell(wanted);
      asked.push(wanted);
      if (told.refusal) {
        response.statusCode = 422;
        return response.end(JSON.stringify({ error: { message: told.refusal } }));
      }
      response.setHeader("content-type", "text/event-stream");
      for (const [kind, data] of told) {
        response.write(`event: ${kind}\ndata: ${JSON.stringify(data)}\n\n`);
        await new Promise(done => setTimeout(done, 5));
      }
      if (told.breaks) return response.destroy();
      response.end(`event: end\ndata: {"seconds":0.321}\n\n`);
    });
  });
  await new Promise(ready => server.listen(0, "127.0.0.1", ready));
  const stop = () => new Promise(done => { server.close(done); server.closeAllConnections(); });
  return { address: `http://127.0.0.1:${server.address().port}/`, asked, stop };
}
