/** What people judge: kept by the server that serves the page, or by the browser until it is downloaded. */

const STORED = `nitari.compare.${data.key}`;
const served = data.marks_file !== null;
let uncounted = 0;

if (!served) {
  try {
    Object.assign(data.marks, JSON.parse(localStorage.getItem(STORED) ?? "{}"));
  } catch {
    // Storage may be switched off, or hold something else; marks then last as long as the page.
  }
}

/** Grade of an item: the mark if there is one, else what the protocol says; -1 where nobody judged. */
function gradeOf(query, item, grade) {
  return data.marks[query.id]?.[item] ?? grade;
}

/** How many marks there are. */
function markCount() {
  return Object.values(data.marks).reduce((sum, grades) => sum + Object.keys(grades).length, 0);
}

/**
 * Judge, or take a judgment back (`null`). Says whether it was kept; where it was not, nothing has changed.
 */
async function mark(query, item, grade) {
  const before = data.marks[query.id]?.[item];
  put(query.id, item, grade);
  if (!served) {
    try {
      localStorage.setItem(STORED, JSON.stringify(data.marks));
    } catch {
      // As above.
    }
    return true;
  }
  try {
    const response = await fetch("judgments", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ query: query.id, item, grade }),
    });
    if (!response.ok) throw new Error((await response.json()).detail);
    uncounted += 1;
    return true;
  } catch (error) {
    put(query.id, item, before ?? null);
    notice(`The judgment was not saved: ${error.message}. Is nitari compare --serve still running?`);
    return false;
  }
}

function put(queryId, item, grade) {
  const grades = (data.marks[queryId] ??= {});
  if (grade === null) delete grades[item];
  else grades[item] = grade;
  if (!Object.keys(grades).length) delete data.marks[queryId];
}

/** The marks as a file of judgments. */
function qrels() {
  return Object.entries(data.marks)
    .flatMap(([query, grades]) => Object.entries(grades).map(([item, grade]) => `${query}\t0\t${item}\t${grade}\n`))
    .join("");
}

function download() {
  const link = make("a", { href: URL.createObjectURL(new Blob([qrels()], { type: "text/plain" })), download: "judgments.txt" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** Say how many marks there are, and where they are. */
function showMarks() {
  const count = markCount();
  const where = served ? `saved in ${data.marks_file}` : "kept in this browser until you download them";
  byId("marks-text").textContent = count
    ? `${count} ${count === 1 ? "judgment" : "judgments"} of yours, ${where}.`
    : `Judge hits with ✓ and ✗; judgments are ${where}.`;
  byId("download").disabled = !count;
  byId("recount").hidden = !(served && uncounted);
}
