/** The page at work: tools, the list that grows as one scrolls, keys, judgments. */

const CHUNK = 16;
const state = { measure: 0, order: judged ? "moved" : "changed", category: "", outcome: "all", find: "" };
let list = [];
let drawn = 0;
const sight = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && drawMore(), { rootMargin: "1200px" });

function fillTools() {
  const option = (value, text) => make("option", { value, text });
  const allowed = (entries) => Object.entries(entries).filter(([, entry]) => judged || !entry.judged);
  byId("measure").append(...data.measures.map((name, at) => option(String(at), name)));
  byId("order").append(...allowed(ORDERS).map(([key, { label }]) => option(key, label)));
  byId("outcome").append(...allowed(OUTCOMES).map(([key, { label }]) => option(key, label)));
  byId("category").append(option("", "all"), ...categories().map(([name, count]) => option(name, `${name} (${count})`)));
  for (const field of document.querySelectorAll("[data-judged]")) field.hidden = !judged;
  state.measure = Math.max(0, data.measures.indexOf(told.primary[0]));
  restore();
  for (const name of ["measure", "order", "category", "outcome", "find"]) {
    const control = byId(name);
    control.value = String(state[name]);
    if (control.value !== String(state[name])) control.selectedIndex = 0;
    control.addEventListener(name === "find" ? "input" : "change", () => {
      state[name] = name === "measure" ? Number(control.value) : control.value;
      remember();
      draw();
    });
  }
}

/** The view is part of the address, so that a reload or a link shows the same. */
function remember() {
  const view = new URLSearchParams(Object.entries(state).map(([name, value]) => [name, String(value)]));
  history.replaceState(null, "", `#${view}`);
}

function restore() {
  const view = new URLSearchParams(location.hash.slice(1));
  const known = { order: ORDERS, outcome: OUTCOMES };
  for (const [name, value] of view) {
    if (name === "measure" && data.measures[Number(value)]) state.measure = Number(value);
    else if (known[name]?.[value] && (judged || !known[name][value].judged)) state[name] = value;
    else if (name === "find" || (name === "category" && categories().some(([one]) => one === value))) state[name] = value;
  }
}

function draw() {
  list = chosen(state);
  drawn = 0;
  byId("queries").replaceChildren();
  fillCategories(state.measure);
  byId("count").textContent = `${list.length} of ${queries.length}`;
  if (!list.length) byId("queries").append(make("li", { class: "empty", text: "No query is like this." }));
  drawMore();
}

function drawMore() {
  const next = list.slice(drawn, drawn + CHUNK);
  byId("queries").append(...next.map((query) => showQuery(query, state.measure)));
  drawn += next.length;
  byId("more").hidden = drawn >= list.length;
  sight.disconnect(); // so that it looks anew: what is still in sight is not told twice
  sight.observe(byId("more"));
}

/** A hit's element around what an event came from. */
function hitAt(target) {
  return target instanceof Element ? target.closest(".hit") : null;
}

async function judge(box, grade) {
  const { query, hit } = hitOf.get(box);
  const kept = mark(query, hit.item, grade);
  redress(query, hit.item);
  showMarks();
  if (!(await kept)) redress(query, hit.item);
  showMarks();
  const own = data.marks[query.id]?.[hit.item];
  say(own === undefined ? `${hit.item}: judgment taken back` : `${hit.item}: ${gradeWords(own)}`);
}

/** Show anew all hits of an item in a query's rows. */
function redress(query, item) {
  for (const article of byId("queries").children) {
    if (article.dataset.id !== query.id) continue;
    for (const box of article.querySelectorAll(".hit")) if (box.dataset.item === item) dress(box);
  }
}

/** Move the focus among the hits of a query: along a row, or to the same place in the other one. */
function move(box, key) {
  const row = [...box.parentElement.children];
  const at = row.indexOf(box);
  const rows = [...box.closest(".rows").querySelectorAll(".hits")];
  const other = rows[rows.indexOf(box.parentElement) + (key === "ArrowDown" ? 1 : -1)];
  const target = {
    ArrowLeft: () => row[at - 1],
    ArrowRight: () => row[at + 1],
    Home: () => row[0],
    End: () => row[row.length - 1],
    ArrowUp: () => other && other.children[Math.min(at, other.children.length - 1)],
    ArrowDown: () => other && other.children[Math.min(at, other.children.length - 1)],
  }[key]();
  if (!target?.classList.contains("hit")) return;
  rove(target);
  target.focus();
}

/** Only one hit of a row is a stop of the Tab key. */
function rove(box) {
  for (const one of box.parentElement.children) one.tabIndex = one === box ? 0 : -1;
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const box = hitAt(event.target);
  const key = event.key;
  if (box && (key.startsWith("Arrow") || key === "Home" || key === "End")) move(box, key);
  else if (box && key in { r: 1, n: 0, u: 0 }) judge(box, { r: 1, n: 0, u: null }[key]);
  else if (event.target === box && key === "Enter") lookCloser(hitOf.get(box));
  else if (key === "j" || key === "k") step(event.target.closest(".query"), key === "j" ? 1 : -1);
  else return;
  event.preventDefault();
}

function step(from, by) {
  const all = [...byId("queries").children];
  let at = all.indexOf(from) + by;
  if (!from) at = 0;
  if (at >= drawn && drawn < list.length) drawMore();
  const target = byId("queries").children[at];
  if (!target) return;
  target.scrollIntoView({ block: "start" });
  (target.querySelector(".hit") ?? target).focus({ preventScroll: true });
}

function onClick(event) {
  const box = hitAt(event.target);
  if (!box) return;
  const button = event.target.closest("button");
  rove(box);
  if (!button) {
    if (event.target.closest(".frame")) lookCloser(hitOf.get(box));
    return;
  }
  judge(box, button.getAttribute("aria-pressed") === "true" ? null : Number(button.dataset.grade));
}

/** Show where an item stands in the other row. */
function point(event) {
  const box = hitAt(event.target);
  for (const same of document.querySelectorAll(".hit.is-same")) same.classList.remove("is-same");
  if (!box) return;
  for (const one of box.closest(".rows").querySelectorAll(".hit")) {
    if (one !== box && one.dataset.item === box.dataset.item) one.classList.add("is-same");
  }
}

function say(text) {
  byId("live").textContent = text;
}

function notice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = false;
  setTimeout(() => (byId("notice").hidden = true), 8000);
}

function wire() {
  const holder = byId("queries");
  holder.addEventListener("keydown", onKey);
  holder.addEventListener("click", onClick);
  for (const type of ["pointerover", "focusin"]) holder.addEventListener(type, point);
  byId("more").addEventListener("click", drawMore);
  byId("download").addEventListener("click", download);
  byId("recount").addEventListener("click", () => location.reload());
  byId("closer-close").addEventListener("click", () => byId("closer").close());
  byId("closer").addEventListener("click", (event) => event.target === byId("closer") && byId("closer").close());
  byId("theme").addEventListener("change", ({ target }) => {
    if (target.value === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = target.value;
  });
}

fillSummary();
fillTools();
showMarks();
wire();
draw();
