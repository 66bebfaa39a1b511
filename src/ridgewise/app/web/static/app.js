// Answers while one types, numbers that open, a model picker: the page works without any of it.
const form = document.querySelector("#ask");
const answer = document.querySelector("#answer");
const progress = document.querySelector("#progress");
const live = document.querySelector("#live");
const dialog = document.querySelector("#why");
let running = null;

const wait = (fn, ms) => { let timer; return (...given) => { clearTimeout(timer); timer = setTimeout(() => fn(...given), ms); }; };

function query() {
  const training = form.querySelector("#goal-infer")?.checked === false;
  const pairs = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    const place = form.elements.namedItem(name);  // a field called length is no property of the list
    const field = place instanceof RadioNodeList ? null : place?.closest(".using, .building");
    if (field && field.classList.contains(training ? "using" : "building")) continue;
    if (!value.trim() || (name === "goal" && value === "infer") || (name === "priority" && value === "balanced")) continue;
    pairs.append(name, value.trim());
  }
  return pairs.toString().replaceAll("%2F", "/").replaceAll("%2C", ",").replaceAll("%3A", ":").replaceAll("%3D", "=");
}

function fill(search) {
  const pairs = new URLSearchParams(search);
  if (!pairs.size) { form.reset(); return; }
  for (const place of form.elements) {
    if (!place.name) continue;
    const value = pairs.getAll(place.name).join(", ");
    if (place.type === "radio") place.checked = place.value === (value || (place.name === "goal" ? "infer" : "balanced"));
    else if (place.type !== "hidden") place.value = value;
  }
}

async function part(address, kind, signal, was) {
  const headers = { "X-Part": kind };
  if (was) headers["X-Was"] = was;
  const response = await fetch(address, { headers, signal });
  return response.text();
}

async function load(address, push) {
  running?.abort();
  const mine = (running = new AbortController());
  const was = location.search;
  const slow = setTimeout(() => { progress.hidden = false; answer.setAttribute("aria-busy", "true"); }, 120);
  const told = setTimeout(() => { live.textContent = "still computing"; }, 1500);
  try {
    const text = await part(address, "answer", mine.signal, push ? was || "?" : "");
    if (mine.signal.aborted) return;
    answer.innerHTML = text;
    if (push === "push") history.pushState(null, "", address);
    else if (push === "replace") history.replaceState(null, "", address);
    const wrong = answer.querySelector(".problem")?.dataset.field;
    for (const place of form.querySelectorAll("[aria-invalid]")) place.removeAttribute("aria-invalid");
    if (wrong) form.elements.namedItem(wrong)?.setAttribute?.("aria-invalid", "true");
    const pick = answer.querySelector(".pick");
    document.title = `${form.elements.model.value || "What hardware"} · Ridgewise`;
    live.textContent = wrong ? "that cannot be answered as asked" : pick ? `first choice: ${pick.textContent}` : "";
    later();
    extras(answer);
  } catch (error) {
    if (error.name !== "AbortError") live.textContent = "the server does not answer";
  } finally {
    clearTimeout(slow); clearTimeout(told);
    if (running === mine) { progress.hidden = true; answer.removeAttribute("aria-busy"); running = null; }
  }
}

function later() {
  const signal = running?.signal;
  for (const place of answer.querySelectorAll("[data-load]")) {
    const address = place.dataset.load;
    place.setAttribute("aria-busy", "true");
    part(address, "panel", signal).then((text) => {
      if (!place.isConnected) return;
      place.innerHTML = text;
      place.removeAttribute("aria-busy");
      extras(place);
    }).catch(() => {});
  }
}

function extras(root) {
  for (const button of root.querySelectorAll("[data-print], [data-copy], .sets")) button.hidden = false;
  for (const link of root.querySelectorAll("figure[data-figure] .keep")) {
    if (link.nextElementSibling?.dataset.png !== undefined) continue;
    const png = document.createElement("a");
    png.textContent = "PNG"; png.href = link.href; png.dataset.png = ""; png.setAttribute("role", "button");
    link.after(" ", png);
  }
}

async function picture(link) {
  const text = await (await fetch(link.href)).text();
  const image = new Image();
  const box = text.match(/viewBox="0 0 ([\d.]+) ([\d.]+)"/);
  const sized = text.replace("<svg ", `<svg width="${box[1] * 2}" height="${box[2] * 2}" `);
  const address = URL.createObjectURL(new Blob([sized], { type: "image/svg+xml" }));
  image.onload = () => {
    const canvas = document.createElement("canvas");
    canvas.width = image.width; canvas.height = image.height;
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#fff"; pen.fillRect(0, 0, canvas.width, canvas.height); pen.drawImage(image, 0, 0);
    canvas.toBlob((blob) => {
      const keep = document.createElement("a");
      keep.href = URL.createObjectURL(blob);
      keep.download = new URL(link.href).pathname.split("/").pop().replace(".svg", ".png");
      keep.click();
      URL.revokeObjectURL(address);
    });
  };
  image.src = address;
}

document.addEventListener("click", async (event) => {
  const plain = !event.metaKey && !event.ctrlKey && !event.shiftKey && event.button === 0;
  const link = event.target.closest("a");
  if (link?.dataset.png !== undefined) { event.preventDefault(); picture(link); return; }
  if (link?.dataset.why !== undefined && plain) {
    event.preventDefault();
    document.querySelector("#why-body").innerHTML = await part(link.href, "why");
    dialog.showModal();
    return;
  }
  if (link?.matches("a.fix, a.chip") && form && plain && new URL(link.href).pathname === "/") {
    event.preventDefault();
    const address = new URL(link.href);
    fill(address.search);
    load(address.pathname + address.search, "push");
    answer.scrollIntoView({ behavior: "smooth", block: "start" });
    return;
  }
  if (link?.hash.startsWith("#f-") && form) {
    const place = document.getElementById(link.hash.slice(1));
    place?.closest("details")?.setAttribute("open", "");
    if (place) { event.preventDefault(); place.focus(); }
    return;
  }
  if (event.target === dialog) dialog.close();
  if (event.target.matches("[data-print]")) print();
  if (event.target.matches("[data-copy]")) { await navigator.clipboard?.writeText(location.href); event.target.textContent = "copied"; }
  if (event.target.matches("[data-set]")) {
    const place = form.elements.namedItem(event.target.dataset.set);
    place.value = event.target.value;
    place.dispatchEvent(new Event("change", { bubbles: true }));
  }
});

const theme = document.querySelector("#theme");
try { const kept = localStorage.getItem("theme"); if (kept) document.documentElement.dataset.theme = kept; } catch { /* no storage */ }
theme.hidden = false;
theme.addEventListener("click", () => {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem("theme", document.documentElement.dataset.theme); } catch { /* no storage */ }
});

if (form) {
  const model = form.elements.model;
  const found = document.querySelector("#found");
  const ask = (push) => { if (model.value.trim()) { const address = `/?${query()}`; if (address !== location.pathname + location.search) load(address, push); } };
  const typed = wait(() => ask("replace"), 220);

  form.addEventListener("submit", (event) => { event.preventDefault(); ask("push"); });
  form.addEventListener("change", (event) => { if (event.target !== model) ask("push"); });
  form.addEventListener("input", (event) => { if (event.target === model) search(); else if (event.target.type !== "radio") typed(); });
  addEventListener("popstate", () => { fill(location.search); load(location.pathname + location.search, ""); });

  const close = () => { found.hidden = true; model.setAttribute("aria-expanded", "false"); model.removeAttribute("aria-activedescendant"); };
  const choose = (option) => { model.value = option.dataset.value; close(); ask("push"); };
  const search = wait(async () => {
    found.innerHTML = await part(`/find?search=${encodeURIComponent(model.value)}`, "find");
    found.hidden = false; model.setAttribute("aria-expanded", "true");
  }, 90);
  const move = (step) => {
    const options = [...found.querySelectorAll("[role=option]")];
    if (!options.length) return;
    const now = options.findIndex((one) => one.getAttribute("aria-selected") === "true");
    const next = options[(now + step + options.length) % options.length];
    options.forEach((one) => one.setAttribute("aria-selected", one === next));
    model.setAttribute("aria-activedescendant", next.id);
    next.scrollIntoView({ block: "nearest" });
  };
  model.addEventListener("focus", () => model.select());
  model.addEventListener("blur", () => setTimeout(close, 150));
  model.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); if (found.hidden) search(); else move(event.key === "ArrowDown" ? 1 : -1); }
    if (event.key === "Escape") close();
    const option = found.querySelector("[aria-selected=true]");
    if (event.key === "Enter" && !found.hidden && option) { event.preventDefault(); choose(option); }
  });
  found.addEventListener("mousedown", (event) => { const option = event.target.closest("[role=option]"); if (option) { event.preventDefault(); choose(option); } });

  const own = document.querySelector("#own");
  own.addEventListener("submit", async (event) => {
    const file = own.elements.file.files[0];
    if (!file || file.size < 2 ** 22) return;
    event.preventDefault();  // of a large file only the beginning is handed in: its header
    const body = new FormData();
    body.append("file", file.slice(0, 40 * 2 ** 20), file.name);
    body.append("name", own.elements.name.value || file.name);
    body.append("size", file.size);
    const response = await fetch("/v1/uploads", { method: "POST", body });
    const told = await response.json();
    if (response.ok) { model.value = told.model; ask("push"); } else live.textContent = told.detail;
  });
  later();
}
extras(document);
