/** What rooms are called. */

const NAME = /^#?([a-z0-9][a-z0-9._+-]{0,31})$/i;

/**
 * Return the name of a further room, as it is compared, that a text is, with the sign or without; null where it can be none.
 * @param {string} text
 */
export function roomNamed(text) {
  return NAME.exec(text)?.[1]?.toLowerCase() ?? null;
}
