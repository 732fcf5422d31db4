/**
 * The lines of the log in the document: all that are kept, so that the browser finds and selects them.
 *
 * They stand in blocks. Those that are out of sight cost the browser nothing (`content-visibility`): it
 * takes them to be as high as they were, or as is guessed here.
 */

import { element } from "../document/element.js";

/** Lines in a block. */
export const BLOCK = 32;
/** About how high a line is, in rem, and each further row of so many letters. */
const LINE = 2.8;
const ROW = 1.45;
const LETTERS = 70;

/** Some lines in a row, as far as they are drawn: those from `from` up to `to`. */
class Block {
  from;
  to;

  /** @param {number} index */
  constructor(index) {
    this.index = index;
    this.start = index * BLOCK;
    this.limit = this.start + BLOCK;
    this.from = this.start;
    this.to = this.start;
    this.element = element("div", "block");
  }

  /**
   * Whether all of its lines from `first` up to `end` are drawn. What is gone can't be drawn any more.
   * @param {number} first
   * @param {number} end
   */
  isDrawn(first, end) {
    if (this.limit <= first) return true;
    return this.to >= Math.min(end, this.limit) && this.from <= Math.max(first, this.start);
  }

  /**
   * Draw what is missing of the lines from `first` up to `end`. Returns how many lines these were.
   * @param {number} first
   * @param {number} end
   * @param {(seq: number) => HTMLElement} draw
   */
  draw(first, end, draw) {
    const from = Math.max(first, this.start);
    const to = Math.min(end, this.limit);
    if (this.from === this.to) this.from = this.to = from;
    const drawn = this.to - this.from;
    const before = [];
    for (let seq = from; seq < this.from; seq += 1) before.push(draw(seq));
    this.from = Math.min(this.from, from);
    this.element.prepend(...before);
    for (; this.to < to; this.to += 1) this.element.append(draw(this.to));
    this.element.style.containIntrinsicHeight = `auto ${this.#height()}rem`;
    return this.to - this.from - drawn;
  }

  /** About how high it will be: the browser need not lay out what nobody looks at. */
  #height() {
    const lines = [...this.element.children];
    return lines.reduce((sum, line) => {
      return sum + LINE + Math.floor(line.textContent.length / LETTERS) * ROW;
    }, 0);
  }
}

export class Blocks {
  #list;
  #draw;
  #first = 0;
  #end = 0;
  /** @type {Block[]} */
  #blocks = [];

  /**
   * `draw` makes the element of a line.
   * @param {HTMLElement} list
   * @param {(seq: number) => HTMLElement} draw
   */
  constructor(list, draw) {
    this.#list = list;
    this.#draw = draw;
  }

  /** Whether the last line is drawn. */
  get isDrawnToEnd() {
    return this.#blocks.at(-1)?.isDrawn(this.#first, this.#end) ?? true;
  }

  /** Whether all lines are. */
  get isDrawn() {
    return this.#blocks.every((block) => this.#isComplete(block));
  }

  /** Take everything out. */
  clear() {
    this.#list.replaceChildren();
    this.#blocks = [];
  }

  /**
   * Have a place for each line from `first` up to `end`, and none for those that are gone; but blocks
   * for which `isRead` holds stay, and so do their neighbours.
   * @param {number} first
   * @param {number} end
   * @param {((element: HTMLElement) => boolean) | null} isRead
   */
  cover(first, end, isRead) {
    this.#first = first;
    this.#end = end;
    if (end <= first) return;
    const from = Math.floor(first / BLOCK);
    const to = Math.floor((end - 1) / BLOCK);
    if ((this.#blocks[0]?.index ?? from) < from) this.#forget(from, isRead);
    const last = this.#blocks.at(-1)?.index ?? from - 1;
    for (let index = Math.max(from, last + 1); index <= to; index += 1) {
      const block = new Block(index);
      this.#blocks.push(block);
      this.#list.append(block.element);
    }
    const before = (this.#blocks[0]?.index ?? from) - 1;
    for (let index = before; index >= from; index -= 1) {
      const block = new Block(index);
      this.#blocks.unshift(block);
      this.#list.prepend(block.element);
    }
  }

  /**
   * Draw the last lines: those that are read as they come. Returns how many were drawn.
   * @param {number} count blocks
   */
  drawLast(count) {
    return this.#blocks.slice(-count).reduce((sum, block) => sum + this.#complete(block), 0);
  }

  /**
   * Draw some more blocks that are missing, the last first.
   *
   * What is drawn here is no news: no screen reader tells it.
   * @param {number} count
   */
  drawMissing(count) {
    const missing = this.#blocks.filter((block) => !this.#isComplete(block));
    for (const block of missing.slice(-count)) {
      block.element.ariaLive = "off";
      this.#complete(block);
    }
  }

  /**
   * Draw what is missing between two heights on the screen. Returns whether something was.
   * @param {number} top
   * @param {number} bottom
   */
  drawBetween(top, bottom) {
    const missing = this.#blocks.find((block) => {
      if (this.#isComplete(block)) return false;
      const rect = block.element.getBoundingClientRect();
      return rect.bottom > top && rect.top < bottom;
    });
    if (missing === undefined) return false;
    missing.element.ariaLive = "off";
    this.#complete(missing);
    return true;
  }

  /**
   * Return the element of a line, or null where it is not drawn.
   * @param {number} seq
   * @returns {HTMLElement | null}
   */
  line(seq) {
    const index = Math.floor(seq / BLOCK);
    const block = this.#blocks.find((it) => it.index === index);
    if (block === undefined || seq < block.from || seq >= block.to) return null;
    return /** @type {HTMLElement} */ (block.element.children[seq - block.from]);
  }

  /**
   * Draw a line, whether it is drawn already or not, and return its element; null where it is not kept.
   * @param {number} seq
   */
  reach(seq) {
    const index = Math.floor(seq / BLOCK);
    for (const block of this.#blocks) {
      if (Math.abs(block.index - index) <= 1) this.#complete(block);
    }
    return this.line(seq);
  }

  /**
   * Draw a line anew that is drawn.
   * @param {number} seq
   */
  redraw(seq) {
    this.line(seq)?.replaceWith(this.#draw(seq));
  }

  /**
   * Return the first line that ends below a height on the screen, or null.
   * @param {number} top
   */
  lineBelow(top) {
    const block = this.#blocks.find((it) => it.element.getBoundingClientRect().bottom > top);
    if (block === undefined) return null;
    for (const line of block.element.children) {
      if (line.getBoundingClientRect().bottom > top) return line;
    }
    return block.element;
  }

  /** @param {Block} block */
  #isComplete(block) {
    return block.isDrawn(this.#first, this.#end);
  }

  /** @param {Block} block */
  #complete(block) {
    return this.#isComplete(block) ? 0 : block.draw(this.#first, this.#end, this.#draw);
  }

  /**
   * @param {number} from
   * @param {((element: HTMLElement) => boolean) | null} isRead
   */
  #forget(from, isRead) {
    this.#blocks = this.#blocks.filter((block) => {
      const stays = block.index >= from || (isRead?.(block.element) ?? false);
      if (!stays) block.element.remove();
      return stays;
    });
  }
}
