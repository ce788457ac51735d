/** One query: its photo, what was measured, and the two rows of hits. */

const JUDGED = { "-1": "not judged", 0: "not relevant" };

function gradeWords(grade) {
  return JUDGED[grade] ?? "relevant";
}

function showQuery(query, measure) {
  const rows = ["A", "B"].map((name, side) => showRow(query, name, side));
  const article = make("li", { class: "query", "data-id": query.id, tabindex: "-1", "aria-label": `Query ${query.id}` },
    make("div", { class: "asked" },
      frame(query.photo, `Query photo ${query.id}`),
      make("h3", { text: query.id }),
      query.category && make("p", { class: "muted", text: query.category }),
      measured(query, measure) && valueLine(query, measure),
      make("p", { class: "muted", text: `overlap ${shown(query.overlap, 1)}, RBO ${shown(query.rbo, 2)}` })),
    make("div", { class: "rows" }, ...rows));
  return article;
}

function valueLine(query, measure) {
  const [a, b] = query.values[measure];
  const change = gain(query, measure);
  const kind = change > 0 ? "is-better" : change < 0 ? "is-worse" : "muted";
  const words = change > 0 ? "B better" : change < 0 ? "B worse" : "as good";
  const digits = Number.isInteger(a) && Number.isInteger(b) ? 0 : 3;
  return make("p", { class: `values ${kind}` },
    make("span", { text: `${data.measures[measure]} ${shown(a, digits)} → ${shown(b, digits)}` }), make("span", { text: words }));
}

function showRow(query, name, side) {
  const failure = query.failures?.[side];
  const hits = query.sides[side].map((hit, at) => showHit(query, hit, side, at === 0));
  const empty = make("p", { class: "empty", text: failure ? `failed: ${failure}` : "nothing found" });
  return make("div", { class: "row", role: "group", "aria-label": `${name}: ${told[name.toLowerCase()].name}` },
    make("span", { class: "row-name", "aria-hidden": "true", text: name }),
    make("div", { class: "hits" }, ...(hits.length ? hits : [empty])));
}

function showHit(query, hit, side, isFirst) {
  const move = movement(hit, side);
  const box = make("div", { class: "hit", role: "group", tabindex: isFirst ? "0" : "-1", title: hit.item },
    frame(hit.photo, ""),
    make("div", { class: "hit-line", "aria-hidden": "true" },
      make("span", { class: "rank" }), make("span", { class: `move ${move.kind}`, text: move.sign })),
    make("div", { class: "judge" },
      judgeButton("✓", "Relevant", 1, query, hit), judgeButton("✗", "Not relevant", 0, query, hit)));
  box.dataset.item = hit.item;
  box.dataset.side = String(side);
  hitOf.set(box, { query, hit, side, words: move.words });
  dress(box);
  return box;
}

/** From a hit's element to what it shows. */
const hitOf = new WeakMap();

function judgeButton(sign, label, grade, query, hit) {
  return make("button", { type: "button", tabindex: "-1", "data-grade": String(grade), "aria-label": `${label}: ${hit.item}`, text: sign });
}

/** Show what is judged of a hit. */
function dress(box) {
  const { query, hit, words } = hitOf.get(box);
  const grade = gradeOf(query, hit.item, hit.grade);
  const own = data.marks[query.id]?.[hit.item];
  box.classList.toggle("is-relevant", grade > 0);
  box.classList.toggle("is-irrelevant", own === 0);
  box.querySelector(".rank").textContent = `${hit.rank}${grade > 0 ? " ✓" : own === 0 ? " ✗" : ""}`;
  box.setAttribute("aria-label",
    `Rank ${hit.rank}, item ${hit.item}, ${words}, ${gradeWords(grade)}${own === undefined ? "" : " (your judgment)"}`);
  for (const button of box.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(own !== undefined && Math.min(own, 1) === Number(button.dataset.grade)));
  }
}

function frame(photo, alt) {
  const source = photo < 0 ? "" : data.photos[photo];
  const nothing = () => make("span", { class: "none", text: "no photo" });
  const holder = make("span", { class: "frame" });
  if (!source) {
    holder.append(nothing());
    return holder;
  }
  const img = make("img", { alt, loading: "lazy", decoding: "async", src: source });
  img.addEventListener("error", () => holder.replaceChildren(nothing()));
  holder.append(img);
  return holder;
}

/** A photo in full, with the region that was searched with or that matched. */
function whole(photo, box, caption) {
  const source = photo < 0 ? "" : data.photos[photo];
  const holder = make("span", { class: "whole" }, source ? make("img", { src: source, alt: caption }) : "no photo");
  if (box && source) {
    const [x1, y1, x2, y2] = box;
    const region = make("span", { class: "region" });
    const share = { left: x1, top: y1, width: x2 - x1, height: y2 - y1 };
    for (const [side, value] of Object.entries(share)) region.style.setProperty(side, `${100 * value}%`);
    holder.append(region);
  }
  return make("figure", {}, holder, make("figcaption", { text: caption }));
}

function lookCloser({ query, hit, side }) {
  byId("closer-title").textContent = `${query.id}: rank ${hit.rank} of ${side ? "B" : "A"}`;
  const score = hit.score ? `, score ${shown(hit.score)}` : "";
  byId("closer-photos").replaceChildren(
    whole(query.photo, query.box, `Query ${query.id}`), whole(hit.photo, hit.box, `${hit.item}${score}`));
  byId("closer").showModal();
}
