// The list of questions: filtered, paged, each opened on demand.
// Everything from the data is set as text, never as markup.
"use strict";
(() => {
  const PAGE = 25;
  const { arms, questions, texts } = JSON.parse(document.getElementById("records").textContent);
  const form = document.getElementById("filters");
  if (!form) return;
  const list = document.getElementById("questions");
  const count = document.getElementById("count");
  const [previous, next] = [document.getElementById("previous"), document.getElementById("next")];
  let found = questions;
  let shown = "";
  let page = 0;

  function make(tag, text, kind, direction) {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (kind) element.className = kind;
    if (direction) element.dir = direction;
    return element;
  }

  function options(select, pairs) {
    for (const [value, text] of pairs) {
      const option = make("option", text);
      option.value = value;
      select.append(option);
    }
  }

  const named = arms.map((arm, position) => [String(position), arm.label]);
  for (const name of ["arm", "one", "other"]) options(form.elements[name], named);
  const buckets = [...new Set(questions.map((question) => question.bucket).filter(Boolean))].sort();
  options(form.elements.bucket, buckets.map((bucket) => [bucket, bucket]));

  const haystacks = new Map();
  function haystack(question) {
    if (!haystacks.has(question)) {
      const said = question.answers.map((answer) => (answer ? answer.output : ""));
      const all = [question.id, question.question, question.relation, ...question.gold, ...said];
      haystacks.set(question, all.join("\n").toLowerCase());
    }
    return haystacks.get(question);
  }

  function verdict(question, arm) {
    const answer = question.answers[Number(arm)];
    return answer ? answer.right : null;
  }

  function keeps(question, wanted) {
    const answered = wanted.arm === "" ? question.answers.filter(Boolean) : [question.answers[Number(wanted.arm)]];
    if (wanted.arm !== "" && !answered[0]) return false;
    if (wanted.outcome !== "") {
      const right = wanted.outcome === "right";
      if (!answered.length || answered.some((answer) => answer.right !== right)) return false;
    }
    if (wanted.one !== "" && wanted.other !== "") {
      const [a, b] = [verdict(question, wanted.one), verdict(question, wanted.other)];
      if (a === null || b === null || a === b) return false;
      if (wanted.how === "one" && !a) return false;
      if (wanted.how === "other" && !b) return false;
    }
    if (wanted.bucket !== "" && question.bucket !== wanted.bucket) return false;
    return wanted.search === "" || haystack(question).includes(wanted.search);
  }

  function mark(answer) {
    if (answer.right === null) return ["not judged", ""];
    return answer.right ? ["✓ right", "right"] : ["✗ wrong", "wrong"];
  }

  function summary(question) {
    const element = make("summary");
    const asked = make("bdi", question.question || question.id, "asked");
    asked.dir = "auto";
    element.append(asked);
    const marks = make("span", undefined, "marks");
    if (question.bucket) marks.append(make("bdi", question.bucket));
    question.answers.forEach((answer, position) => {
      if (!answer || (form.elements.arm.value !== "" && form.elements.arm.value !== String(position))) return;
      const [said, kind] = mark(answer);
      const one = make("span", undefined, kind);
      one.append(`${said.split(" ")[0] === "not" ? "–" : said[0]} `, make("bdi", arms[position].label));
      one.title = said;
      marks.append(one);
    });
    element.append(marks);
    return element;
  }

  function pair(entries, term, value, kind) {
    if (value === "" || value === null || value === undefined) return;
    entries.append(make("dt", term));
    const described = make("dd");
    described.append(make("div", value, kind || "text", "auto"));
    entries.append(described);
  }

  function passages(answer) {
    const holder = make("div", undefined, "scroll");
    const table = make("table");
    table.append(make("caption", "Passages, best first"));
    const head = make("tr");
    for (const title of ["rank", "passage", "score", "in the prompt"]) {
      const cell = make("th", title);
      cell.scope = "col";
      head.append(cell);
    }
    table.append(make("thead"));
    table.tHead.append(head);
    const body = make("tbody");
    answer.passages.forEach((passage, position) => {
      const row = make("tr");
      const rank = make("th", String(position + 1));
      rank.scope = "row";
      const text = make("td", passage.id, "", "auto");
      if (passage.text) text.append(make("small", passage.text));
      const score = passage.score === null ? "–" : passage.score.toPrecision(4);
      row.append(rank, text, make("td", score), make("td", passage.used ? "yes" : "no"));
      body.append(row);
    });
    table.append(body);
    holder.append(table);
    return holder;
  }

  function reply(answer, arm) {
    const element = make("div", undefined, "reply");
    const title = make("h4");
    const [said, kind] = mark(answer);
    const seed = arm.seed === null ? "" : `, seed ${arm.seed}`;
    title.append(make("bdi", arm.label), `${seed}: `, make("span", said, kind));
    const entries = make("dl");
    pair(entries, "answer", answer.output === "" ? "(nothing)" : answer.output);
    if (answer.seeds) pair(entries, "seeds", `right in ${answer.seeds[0]} of ${answer.seeds[1]}`);
    const measured = Object.entries(answer.metrics).map(([name, value]) => `${name} ${Number(value.toPrecision(3))}`);
    pair(entries, "measures", measured.join(" · "), "small");
    element.append(title, entries);
    if (answer.passages.length) element.append(passages(answer));
    const prompt = make("details");
    prompt.append(make("summary", "Prompt, with the passages as the model read them"));
    prompt.addEventListener("toggle", () => {
      if (prompt.open && prompt.children.length === 1) prompt.append(make("pre", texts[answer.prompt] || "(not kept)", "text", "auto"));
    });
    element.append(prompt);
    return element;
  }

  function opened(question) {
    const element = make("div", undefined, "opened");
    const entries = make("dl");
    pair(entries, "gold", question.gold.join(" | ") || "(none: unanswerable)");
    pair(entries, "choices", question.choices.join(" | "));
    pair(entries, "asked for", question.relation);
    pair(entries, "question id", question.id, "small");
    element.append(entries);
    question.answers.forEach((answer, position) => {
      const only = form.elements.arm.value;
      if (answer && (only === "" || only === String(position))) element.append(reply(answer, arms[position]));
    });
    return element;
  }

  function show() {
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    page = Math.min(Math.max(page, 0), pages - 1);
    const items = found.slice(page * PAGE, (page + 1) * PAGE).map((question) => {
      const item = make("li");
      const details = make("details");
      details.append(summary(question));
      details.addEventListener("toggle", (event) => {
        if (event.target === details && details.open && details.children.length === 1) details.append(opened(question));
      });
      item.append(details);
      return item;
    });
    list.replaceChildren(...items);
    count.textContent = `${found.length.toLocaleString("en")} of ${questions.length.toLocaleString("en")} questions, page ${page + 1} of ${pages}`;
    count.dataset.found = String(found.length);
    previous.disabled = page === 0;
    next.disabled = page === pages - 1;
  }

  function filter() {
    const wanted = {};
    for (const name of ["arm", "outcome", "one", "other", "how", "bucket", "search"]) wanted[name] = form.elements[name].value;
    wanted.search = wanted.search.trim().toLowerCase();
    // Leaving the search box is a change too, and the list must not be rebuilt under the focus.
    const key = JSON.stringify(wanted);
    if (key === shown) return;
    shown = key;
    found = questions.filter((question) => keeps(question, wanted));
    page = 0;
    show();
  }

  function turn(by) {
    page += by;
    show();
    document.getElementById("explorer").scrollIntoView();
  }

  let waiting = 0;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.elements.search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 120);
  });
  previous.addEventListener("click", () => turn(-1));
  next.addEventListener("click", () => turn(1));
  filter();
})();
