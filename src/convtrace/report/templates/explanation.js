"use strict";
(function () {
  var slider = document.getElementById("strength");
  var overlay = document.getElementById("overlay");
  var told = document.getElementById("strength-told");
  if (!slider || !overlay) { return; }
  function apply() {
    overlay.style.opacity = String(slider.value / 100);
    told.textContent = slider.value + "%";
    slider.setAttribute("aria-valuetext", slider.value + "%");
  }
  slider.addEventListener("input", apply);
  apply();
})();
