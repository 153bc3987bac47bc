// Dresses the page as the reader's system is: light or dark, also when that changes.
"use strict";
const dark = matchMedia("(prefers-color-scheme: dark)");
function dress() {
  const page = document.querySelector("rapi-doc");
  page.setAttribute("theme", dark.matches ? "dark" : "light");
  page.setAttribute("primary-color", dark.matches ? "#4fb596" : "#1c6e5a");
}
dress();
dark.addEventListener("change", dress);
