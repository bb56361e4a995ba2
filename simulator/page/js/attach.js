// What is attached to a message before it is sent: chosen from the samples, from
// the disk, pasted or dropped.

import { h, icon, set } from "./dom.js";
import { menu } from "./menu.js";
import { bytes, isPicture, MOST, sample, SAMPLES, sampleURL } from "./pictures.js";

export class Attach {
  #files = [];
  #tray;
  #onchange;
  #oncomplaint;
  #input;
  #menu;

  /**
   * at is { button, body, tray, area, name }: what opens the choice, where it is
   * shown, where chosen files are shown, the text field, and the prefix of test ids.
   */
  constructor(at, onchange, oncomplaint) {
    this.#tray = at.tray;
    this.#onchange = onchange;
    this.#oncomplaint = oncomplaint;
    this.name = at.name;
    this.#input = h("input", { type: "file", class: "visually-hidden", tabindex: "-1", "aria-label": "File", "data-testid": at.name + "-file" });
    this.#input.addEventListener("change", () => {
      this.add(...this.#input.files);
      this.#input.value = "";
    });
    at.body.append(h("p", { class: "attach-title" }, "Attach"), h("div", { class: "attach-samples" }, ...SAMPLES.map((s) => this.#sample(s))),
      h("button", { class: "menu-item", type: "button", onclick: () => this.#input.click() }, h("span", { class: "with-icon" }, icon("folder"), "Choose a file…")), this.#input);
    this.#menu = menu(at.button, at.body);
    at.area.addEventListener("paste", (e) => {
      if (!e.clipboardData?.files.length) return;
      e.preventDefault();
      this.add(...e.clipboardData.files);
    });
    const zone = at.area.closest("form");
    zone.addEventListener("dragover", (e) => e.dataTransfer?.types.includes("Files") && e.preventDefault());
    zone.addEventListener("drop", (e) => {
      if (!e.dataTransfer?.files.length) return;
      e.preventDefault();
      this.add(...e.dataTransfer.files);
    });
  }

  files() {
    return this.#files.map((f) => f.file);
  }

  /** take returns the files and forgets them. */
  take() {
    const all = this.files();
    this.clear();
    return all;
  }

  clear() {
    for (const f of this.#files) if (f.url) URL.revokeObjectURL(f.url);
    this.#files = [];
    this.#draw();
  }

  add(...files) {
    for (const file of files) {
      if (file.size > MOST) {
        this.#oncomplaint(`${file.name} is larger than ${bytes(MOST)}.`);
        continue;
      }
      this.#files.push({ file, url: isPicture(file.type) ? URL.createObjectURL(file) : "" });
    }
    this.#menu.close();
    this.#draw();
  }

  #sample(s) {
    const face = isPicture(s.mime) ? h("img", { src: sampleURL(s.name), alt: "", loading: "lazy", width: "64", height: "48" }) : h("span", { class: "attach-doc", "aria-hidden": "true" }, "PDF");
    return h("button", {
      class: "attach-sample", type: "button", "data-testid": `${this.name}-sample-${s.name.replace(/\..*/, "")}`,
      onclick: () => sample(s).then((f) => this.add(f), () => this.#oncomplaint("The sample could not be read.")),
    }, face, h("span", {}, s.title));
  }

  #draw() {
    this.#tray.replaceChildren(...this.#files.map((f) => h("div", { class: "chip-file", "data-testid": this.name + "-attached" },
      f.url ? h("img", { src: f.url, alt: "" }) : h("span", { class: "file-type", "aria-hidden": "true" }, icon("file")),
      h("span", { class: "chip-name" }, f.file.name), h("span", { class: "muted" }, bytes(f.file.size)),
      h("button", {
        class: "chip-x", type: "button", "aria-label": "Remove " + f.file.name, onclick: () => {
          this.#files = this.#files.filter((x) => x !== f);
          if (f.url) URL.revokeObjectURL(f.url);
          this.#draw();
        },
      }, icon("x")))));
    set(this.#tray, { hidden: this.#files.length === 0 });
    this.#onchange();
  }
}
