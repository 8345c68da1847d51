"use strict";
const $ = (id) => document.getElementById(id);
const element = (tag, properties) => Object.assign(document.createElement(tag), properties);
const settings = JSON.parse($("settings").textContent);
const app = document.title.replace(/^.*? · /, "");

// Decimal digits of all scripts as 0 to 9. Unicode has them in runs of ten, each from its zero on.
const isDigit = (code) => /\p{Nd}/u.test(String.fromCodePoint(code));
function digitOf(char) {
  let value = 0;
  for (let code = char.codePointAt(0); isDigit(code - 1); code -= 1) value += 1;
  return value % 10;
}
const plain = (text) => text.replace(/\p{Nd}/gu, digitOf).normalize("NFKC").replace(/\p{Cf}/gu, "");
const digitsOf = (text) => plain(text).replace(/\D/g, "");

// The OTP in an SMS. Its other words may have as many digits, the app's name above all, so what stands beside an OTP goes first.
const OTP = `(?<!\\d)(\\d{${settings.otpLength}})(?!\\d)`;
const OTP_PLACES = [`#${OTP}$`, `(?:code|word|otp|pin)\\W+(?:is\\W+)?${OTP}`, `${OTP}\\W+is\\b`, `.*${OTP}`];
function otpIn(text) {
  const words = plain(text).replace(/\s+/g, " ").replaceAll(plain(app), "").trim();
  return OTP_PLACES.map((place) => words.match(new RegExp(place, "i"))?.[1]).find(Boolean);
}
