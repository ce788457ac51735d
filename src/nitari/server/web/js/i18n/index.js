/** Words in the reader's language. */

import { en } from "./en.js";
import { ja } from "./ja.js";

const WORDS = { en, ja };
const STORED = "nitari.language";
let current = "en";

/** The languages, each under its own name. */
export const LANGUAGES = [
  { code: "en", name: "English" },
  { code: "ja", name: "日本語" },
];

/**
 * Choose the language: the address's, else the stored one, else the browser's, else English.
 *
 * @param {string|null} asked What the address asks for.
 * @returns {string} The language's code.
 */
export function chooseLanguage(asked) {
  let stored = null;
  try {
    stored = localStorage.getItem(STORED);
  } catch {
    // Storage may be switched off; the choice then lasts as long as the page.
  }
  const wanted = [asked, stored, ...(navigator.languages ?? [navigator.language])];
  const found = wanted.map((tag) => String(tag ?? "").toLowerCase().split("-")[0]).find((code) => code in WORDS);
  return useLanguage(found ?? "en");
}

/**
 * Use a language from now on.
 *
 * @param {string} code
 * @param {{store?: boolean}} [how]
 * @returns {string}
 */
export function useLanguage(code, { store = false } = {}) {
  current = code in WORDS ? code : "en";
  document.documentElement.lang = current;
  if (store) {
    try {
      localStorage.setItem(STORED, current);
    } catch {
      // As above.
    }
  }
  return current;
}

/**
 * The language in use.
 *
 * @returns {string}
 */
export const language = () => current;

/**
 * A text, with `{name}` filled in. Where the text has plural forms, `n` chooses.
 *
 * @param {string} key
 * @param {Record<string, string|number>} [values] Numbers are written as the language writes them.
 * @returns {string}
 */
export function t(key, values = {}) {
  const words = WORDS[current][key] ?? WORDS.en[key];
  if (words === undefined) return key;
  const text = typeof words === "string" ? words : (words[pluralForm(values.n)] ?? words.other);
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === "number" ? number(value) : value;
  });
}

/**
 * Whether there is a text of this key.
 *
 * @param {string} key
 * @returns {boolean}
 */
export const known = (key) => key in WORDS.en;

const pluralForm = (n) => new Intl.PluralRules(current).select(Number(n));

/**
 * A number as the language writes it.
 *
 * @param {number} value
 * @param {Intl.NumberFormatOptions} [options]
 * @returns {string}
 */
export const number = (value, options) => new Intl.NumberFormat(current, options).format(value);

/**
 * An amount of money; a plain number where the currency is not known.
 *
 * @param {number} value
 * @param {string|undefined} currency ISO 4217.
 * @returns {string}
 */
export function money(value, currency) {
  try {
    if (currency) return number(value, { style: "currency", currency, currencyDisplay: "narrowSymbol" });
  } catch {
    // Not a currency that this browser knows.
  }
  return currency ? `${number(value)} ${currency}` : number(value);
}

/**
 * A similarity (0-1) as a percentage.
 *
 * @param {number} score
 * @returns {string}
 */
export const percent = (score) => number(Math.floor(score * 100 + 1e-9) / 100, { style: "percent" });

/**
 * A day, in words.
 *
 * @param {string} iso
 * @returns {string}
 */
export const day = (iso) => new Intl.DateTimeFormat(current, { dateStyle: "long" }).format(new Date(iso));

/**
 * An attribute's name for people: a known one translated, another one made readable.
 *
 * @param {string} name
 * @returns {string}
 */
export function attributeName(name) {
  const key = `attribute.${name}`;
  if (known(key)) return t(key);
  const text = name.replaceAll("_", " ").trim();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/**
 * An attribute's value for people.
 *
 * @param {string} name
 * @param {string|number|boolean} value
 * @returns {string}
 */
export function attributeValue(name, value) {
  if (typeof value === "boolean") return t(value ? "yes" : "no");
  if (typeof value === "number") return number(value, { maximumFractionDigits: 2 });
  const key = `value.${name}.${value.toLowerCase().replaceAll(" ", "_")}`;
  return known(key) ? t(key) : value.split(" > ").join(" › ");
}
