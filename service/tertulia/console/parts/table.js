/** A table whose rows stay where they are while what stands in them changes: no button moves away from who uses it. */

import { element } from "../../web/document/element.js";

/** @typedef {string | Node | null} Cell */

/**
 * A column. `label` stands in its head, and before the cell where there is no space for columns. `isFixed`: what
 * stands there does not depend on what may change, so that it is made once, as buttons are.
 * @template Item
 * @typedef {{ label: string, className?: string, isFixed?: boolean, cell: (item: Item, now: () => Item) => Cell }} Column
 */

/** @template Item */
export class Table {
  #columns;
  #keyOf;
  #body;
  #empty;
  #table;
  /** @type {Map<string, { row: HTMLTableRowElement, item: Item, told: string }>} */
  #rows = new Map();
  element;

  /**
   * `empty` is what is said where there is nothing; the first column names the row.
   * @param {object} options
   * @param {string} options.label
   * @param {string} options.empty
   * @param {Column<Item>[]} options.columns
   * @param {(item: Item) => string} options.keyOf
   */
  constructor({ label, empty, columns, keyOf }) {
    this.#columns = columns;
    this.#keyOf = keyOf;
    const head = element("tr", "");
    head.role = "row";
    for (const { label: words, className = "" } of columns) {
      const cell = element("th", className, words);
      cell.scope = "col";
      cell.role = "columnheader";
      head.append(cell);
    }
    this.#body = element("tbody", "");
    const top = element("thead", "", head);
    top.role = this.#body.role = "rowgroup";
    this.#table = element("table", "", top, this.#body);
    // Where its parts are shown as blocks, they are a table still.
    this.#table.role = "table";
    this.#table.ariaLabel = label;
    this.#empty = element("p", "empty", empty);
    this.#empty.hidden = this.#table.hidden = true;
    this.element = element("div", "listing", this.#table, this.#empty);
  }

  /** @param {readonly Item[]} items */
  show(items) {
    const wanted = new Map(items.map((it) => [this.#keyOf(it), it]));
    const isWithin = this.#body.contains(document.activeElement);
    for (const [key, { row }] of this.#rows) {
      if (wanted.has(key)) continue;
      row.remove();
      this.#rows.delete(key);
    }
    let place = this.#body.firstElementChild;
    for (const [key, item] of wanted) {
      const row = this.#row(key, item);
      if (row === place) place = row.nextElementSibling;
      else this.#body.insertBefore(row, place);
    }
    this.#table.hidden = items.length === 0;
    this.#empty.hidden = items.length > 0;
    // Whoever used the row that is gone goes on from here.
    if (isWithin && !this.#body.contains(document.activeElement)) {
      const next = this.#body.querySelector("button, a");
      if (next instanceof HTMLElement) next.focus();
      else document.getElementById("main")?.focus();
    }
  }

  /**
   * @param {string} key
   * @param {Item} item
   */
  #row(key, item) {
    const told = JSON.stringify(item);
    const known = this.#rows.get(key);
    if (known === undefined) {
      const row = element("tr", "");
      row.role = "row";
      const made = { row, item, told };
      this.#rows.set(key, made);
      for (const [at, column] of this.#columns.entries()) {
        const cell = element(at === 0 ? "th" : "td", column.className ?? "");
        cell.role = at === 0 ? "rowheader" : "cell";
        if (at === 0) cell.scope = "row";
        cell.dataset.label = column.label;
        fill(
          cell,
          column.cell(item, () => made.item),
        );
        row.append(cell);
      }
      return row;
    }
    if (known.told === told) return known.row;
    Object.assign(known, { item, told });
    for (const [at, column] of this.#columns.entries()) {
      const cell = known.row.cells[at];
      if (column.isFixed || cell === undefined) continue;
      fill(
        cell,
        column.cell(item, () => known.item),
      );
    }
    return known.row;
  }
}

/**
 * @param {HTMLElement} cell
 * @param {Cell} content
 */
function fill(cell, content) {
  cell.classList.toggle("is-empty", content === null || content === "");
  cell.replaceChildren(...(content === null ? [] : [content]));
}
