"use strict";
(function () {
  // Columns of a row, as convtrace.report.folder writes them.
  var PATH = 0, LABEL = 1, P = 2, GENERATOR = 3, REASONS = 4, ERROR = 5, WIDTH = 6, HEIGHT = 7,
    BYTES = 8, FORMAT = 9, THUMB = 10, LINK = 11, COMMAND = 12;
  var all = JSON.parse(document.getElementById("data").textContent);
  var haystacks = all.map(function (row) {
    return (row[PATH] + " " + row[GENERATOR] + " " + row[REASONS].join(" ") + " " + row[ERROR]).toLowerCase();
  });
  var byId = function (id) { return document.getElementById(id); };
  var body = byId("rows"), form = byId("filters"), buttons = document.querySelectorAll("[data-column]");
  var kept = [], page = 0, column = -1, rising = true;
  var collator = new Intl.Collator(undefined, { numeric: true });

  function make(name, text, kind) {
    var node = document.createElement(name);
    if (text) { node.textContent = text; }
    if (kind) { node.className = kind; }
    return node;
  }
  function bytes(count) {
    return count >= 1e6 ? (count / 1e6).toFixed(1) + " MB" : count >= 1e3 ? (count / 1e3).toFixed(0) + " kB" : count + " B";
  }
  function compare(a, b) {
    var x = all[a][column], y = all[b][column], sign = rising ? 1 : -1;
    // What has no value comes last, whichever the direction.
    if (x === y) { return a - b; }
    if (x === null || x === "") { return 1; }
    if (y === null || y === "") { return -1; }
    return sign * (typeof x === "number" ? x - y : collator.compare(x, y)) || a - b;
  }
  function choose() {
    var words = byId("words").value.toLowerCase().split(/\s+/).filter(Boolean);
    var low = parseFloat(byId("low").value), high = parseFloat(byId("high").value);
    if (isNaN(low)) { low = 0; }
    if (isNaN(high)) { high = 1; }
    var labels = {};
    form.querySelectorAll("[name=label]").forEach(function (box) { labels[box.value] = box.checked; });
    kept = [];
    for (var i = 0; i < all.length; i++) {
      var row = all[i];
      if (!labels[row[LABEL]]) { continue; }
      if (row[P] !== null ? row[P] < low || row[P] > high : low > 0 || high < 1) { continue; }
      if (words.every(function (word) { return haystacks[i].indexOf(word) >= 0; })) { kept.push(i); }
    }
    if (column >= 0) { kept.sort(compare); }
    page = 0;
    draw();
  }
  function drawn(row) {
    var line = make("tr"), cell = make("td", "", "thumb");
    if (row[THUMB]) {
      var image = make("img");
      image.alt = "";
      image.loading = "lazy";
      image.src = "data:image/jpeg;base64," + row[THUMB];
      cell.append(image);
    }
    line.append(cell);
    var name = make("th", row[PATH], "name");
    name.scope = "row";
    line.append(name, make("td", row[LABEL], row[LABEL]));
    line.append(make("td", row[P] === null ? "" : row[P].toFixed(2), "number"));
    line.append(make("td", row[GENERATOR]));
    line.append(make("td", row[WIDTH] ? row[WIDTH] + "\u00d7" + row[HEIGHT] + " " + row[FORMAT] + ", " + bytes(row[BYTES]) : "", "number"));
    line.append(why(row));
    return line;
  }
  function why(row) {
    var cell = make("td", row[ERROR] || row[REASONS][0] || "", "why");
    if (row[REASONS].length > 1) {
      var more = make("details"), list = make("ul");
      more.append(make("summary", "more"));
      row[REASONS].slice(1).forEach(function (reason) { list.append(make("li", reason)); });
      more.append(list);
      if (row[COMMAND]) { more.append(make("code", row[COMMAND])); }
      cell.append(more);
    }
    if (row[LINK]) {
      var link = make("a", "explanation");
      link.href = row[LINK];
      link.setAttribute("aria-label", "explanation of " + row[PATH]);
      cell.append(" ", link);
    }
    return cell;
  }
  function draw() {
    var size = parseInt(byId("size").value, 10), pages = Math.max(1, Math.ceil(kept.length / size));
    page = Math.min(Math.max(page, 0), pages - 1);
    var fragment = document.createDocumentFragment();
    kept.slice(page * size, (page + 1) * size).forEach(function (i) { fragment.append(drawn(all[i])); });
    body.replaceChildren(fragment);
    byId("told").textContent = kept.length.toLocaleString("en") + " of " + all.length.toLocaleString("en") + " pictures";
    byId("page").textContent = "Page " + (page + 1) + " of " + pages;
    byId("first").disabled = byId("previous").disabled = page === 0;
    byId("last").disabled = byId("next").disabled = page === pages - 1;
  }
  function turn(to) { page = to; draw(); byId("table").scrollIntoView(); }

  buttons.forEach(function (button) {
    button.addEventListener("click", function () {
      var chosen = parseInt(button.dataset.column, 10);
      // Numbers begin with the greatest, words with A.
      rising = chosen === column ? !rising : !(chosen === P || chosen === BYTES);
      column = chosen;
      buttons.forEach(function (one) {
        one.parentNode.setAttribute("aria-sort", one === button ? (rising ? "ascending" : "descending") : "none");
      });
      choose();
    });
  });
  var waiting = 0;
  form.addEventListener("input", function () { clearTimeout(waiting); waiting = setTimeout(choose, 80); });
  form.addEventListener("submit", function (event) { event.preventDefault(); choose(); });
  form.addEventListener("reset", function () { setTimeout(choose, 0); });
  byId("first").addEventListener("click", function () { turn(0); });
  byId("previous").addEventListener("click", function () { turn(page - 1); });
  byId("next").addEventListener("click", function () { turn(page + 1); });
  byId("last").addEventListener("click", function () { turn(Infinity); });
  choose();
})();
