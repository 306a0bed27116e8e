"use strict";
(() => {
  const EACH = 5000, HISTORY_EACH = 10000, PATIENCE = 8000;
  // What is older than this is not the present any more, whatever the reason.
  const OLD = 20000;
  const HOUR = 3600e6, DAY = 86400e6;
  const SVG = "http://www.w3.org/2000/svg";
  const root = document.documentElement;
  const byId = id => document.getElementById(id);

  let status = null, history = null, failure = null;
  // The state that came with the page is of now.
  let goodAt = Date.now(), steadyAt = performance.now();
  let clockAhead = 0, busy = false, timer = 0, historyAt = 0;

  // All text goes in as text: names and errors come from outside.
  function make(tag, settings = {}, ...inner) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(settings)) node.setAttribute(key, value);
    node.append(...inner.filter(each => each !== null && each !== undefined));
    return node;
  }
  function draw(tag, settings, ...inner) {
    const node = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(settings)) node.setAttribute(key, value);
    node.append(...inner);
    return node;
  }
  // Nothing is touched that has not changed: a selection and a reader's place stay.
  function put(id, ...nodes) {
    const place = byId(id), made = make("div", {}, ...nodes);
    if (place.innerHTML !== made.innerHTML) place.replaceChildren(...made.childNodes);
  }
  const say = (id, text) => { const node = byId(id); if (node.textContent !== text) node.textContent = text; };

  // Figures, as the program writes them.
  const whole = number => Math.round(number).toLocaleString("en-US");
  const figure = number => Math.abs(number) < 10 ? String(Math.round(number * 10) / 10) : whole(number);
  const counted = (number, thing) => `${whole(number)} ${thing}${number === 1 ? "" : "s"}`;
  function length(seconds) {
    if (!(seconds >= 0)) return "0 s";
    if (seconds < 10) return `${Math.round(seconds * 10) / 10} s`;
    if (seconds < 120) return `${Math.round(seconds)} s`;
    if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 172800) return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds / 60) % 60} min`;
    return `${whole(Math.floor(seconds / 86400))} d ${Math.floor(seconds / 3600) % 24} h`;
  }
  function delay(seconds) {
    return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : length(seconds);
  }
  function bytes(count) {
    let unit = 0;
    while (count >= 1024 && unit < 5) { count /= 1024; unit += 1; }
    return `${figure(count)} ${["B", "KiB", "MiB", "GiB", "TiB", "PiB"][unit]}`;
  }
  const now = () => (Date.now() + clockAhead) * 1000;
  const since = time => Math.max(0, (now() - time) / 1e6);
  function clock(time, withDay = false) {
    const date = new Date(time / 1000);
    if (isNaN(date)) return "?";
    const text = date.toISOString();
    const isToday = text.slice(0, 10) === new Date(now() / 1000).toISOString().slice(0, 10);
    return `${withDay || !isToday ? text.slice(0, 10) + " " : ""}${text.slice(11, 19)} UTC`;
  }
  const moment = time => `${clock(time)}, ${length(since(time))} ago`;

  // Asking.
  async function ask(path) {
    const control = new AbortController();
    const limit = setTimeout(() => control.abort(), PATIENCE);
    try {
      const answer = await fetch(path, { cache: "no-store", credentials: "omit", signal: control.signal });
      if (!answer.ok) {
        throw new Error(`it answers with HTTP ${answer.status}: ${(await answer.text()).trim().slice(0, 300)}`);
      }
      return await answer.json();
    } catch (error) {
      if (error.name === "AbortError") throw new Error(`it has not answered within ${PATIENCE / 1000} s`);
      if (error instanceof TypeError) throw new Error("it cannot be reached");
      if (error instanceof SyntaxError) throw new Error("its answer is not understood");
      throw error;
    } finally {
      clearTimeout(limit);
    }
  }
  async function poll() {
    if (busy) return;
    busy = true;
    clearTimeout(timer);
    try {
      status = await ask("/api/status");
      [goodAt, steadyAt, failure] = [Date.now(), performance.now(), null];
    } catch (error) {
      failure = error.message;
    }
    try {
      if (failure === null && Date.now() - historyAt >= HISTORY_EACH - 500) {
        history = await ask("/api/history");
        historyAt = Date.now();
        clockAhead = history.now / 1000 - historyAt;
      }
    } catch (error) {
      // The charts show by themselves that nothing has come.
    }
    busy = false;
    timer = setTimeout(poll, EACH);
    show();
  }

  // The verdict.
  const isOld = () => failure !== null || Math.max(Date.now() - goodAt, performance.now() - steadyAt) > OLD;
  function verdict() {
    if (isOld()) {
      return {
        state: "unknown", headline: "No answer from tickwal",
        summary: `Nothing is known since ${clock(goodAt * 1000 + clockAhead * 1000)}, for ${length((Date.now() - goodAt) / 1000)}. What stands below is how it was then.`,
        problems: [{
          part: "this page", since: null, what: failure ?? "no answer has come",
          advice: "look whether `tickwal run` is alive (`tickwal status` beside its log) and whether the way to it (tunnel, proxy, network) is; this page goes on asking",
        }],
      };
    }
    if (status === null) return null;
    const problems = status.problems;
    return {
      state: status.healthy ? "well" : "trouble",
      headline: status.healthy ? "All is well" : counted(problems.length, "problem"),
      summary: status.healthy ? inShort() : "", problems,
    };
  }
  function inShort() {
    const parts = [];
    if (status.rates) parts.push(`${figure(status.rates.appended)} ticks/s come in`);
    if (status.feed.since) parts.push(`the feed is connected for ${length(since(status.feed.since))}`);
    if (!status.feed.last_tick_at && !status.last_received_at) parts.push("no tick has come yet");
    for (const consumer of status.consumers.filter(each => each.enabled)) {
      parts.push(`${consumer.consumer} is ${consumer.lag === 0 || consumer.oldest_unshipped_seconds < 1 ? "up to date" : length(consumer.oldest_unshipped_seconds) + " behind"}`);
    }
    const text = parts.join("; ");
    return text && `${text[0].toUpperCase()}${text.slice(1)}.`;
  }
  function showVerdict() {
    const now = verdict();
    if (now === null) return;
    root.dataset.state = now.state;
    document.title = `${{ well: "✓", trouble: "✗", unknown: "?" }[now.state]} ${now.headline} · tickwal`;
    say("headline", now.headline);
    say("summary", now.summary);
    put("problems", ...now.problems.map(problem => make("li", {},
      make("div", { class: "problem-head" }, make("strong", { class: "part" }, problem.part),
        problem.since ? make("span", { class: "since" }, `since ${clock(problem.since)}, for ${length(since(problem.since))}`) : null),
      make("p", { class: "what" }, problem.what), make("p", { class: "advice" }, problem.advice))));
    // Without what changes all the time: it is read out only when the verdict is another one.
    const parts = [...new Set(now.problems.map(problem => problem.part))];
    say("announce", now.headline + (parts.length ? `: ${parts.join(", ")}` : ""));
    const age = Math.round((Date.now() - goodAt) / 1000);
    say("fresh", isOld() ? `not up to date for ${length(age)}` : age < 8 ? "up to date" : `${length(age)} old`);
  }

  // Charts.
  function curves(times, values, from, to, top, step) {
    let line = "", area = "", run = [];
    const x = time => (600 * (time - from) / (to - from)).toFixed(1);
    const y = value => (98 - 94 * Math.min(value, top) / top).toFixed(1);
    const end = () => {
      if (run.length) {
        const points = run.map(([time, value]) => `${x(time)} ${y(value)}`);
        line += `M${points.join("L")}${run.length === 1 ? "h.1" : ""}`;
        area += `M${x(run[0][0])} 98L${points.join("L")}L${x(run[run.length - 1][0])} 98Z`;
      }
      run = [];
    };
    times.forEach((time, index) => {
      if (time < from) return;
      const value = values[index];
      // A hole is shown as one.
      if (value === null || run.length && time - run[run.length - 1][0] > step * 3) end();
      if (value !== null) run.push([time, value]);
    });
    end();
    return { line, area };
  }
  function niceTop(value) {
    if (!(value > 0)) return 1;
    const power = 10 ** Math.floor(Math.log10(value));
    return [1, 2, 5, 10].map(each => each * power).find(each => each >= value);
  }
  function latest(values) {
    const last = values[values.length - 1];
    return last === undefined ? null : last;
  }
  /** @param lines each with `name`, `values`. */
  function chart(title, lines, unit, value, greatest = null) {
    const samples = history.samples, to = now(), from = to - HOUR;
    const all = lines.flatMap(each => each.values.filter((number, index) => number !== null && samples.at[index] >= from));
    const present = value ?? (latest(lines[0].values) === null ? "–" : unit(latest(lines[0].values)));
    const caption = make("figcaption", {}, make("span", {}, title), make("strong", {}, present));
    if (all.length === 0) {
      return make("figure", {}, caption, make("p", { class: "quiet" }, "No figures yet: they come every 10 s."));
    }
    const top = greatest ?? niceTop(Math.max(...all));
    const step = history.interval_seconds * 1e6;
    const inner = [4, 51, 98].map(height => draw("line", { class: "gridline", x1: 0, x2: 600, y1: height, y2: height }));
    lines.forEach((each, index) => {
      const { line, area } = curves(samples.at, each.values, from, to, top, step);
      if (lines.length === 1) inner.push(draw("path", { class: "below", d: area }));
      inner.push(draw("path", { class: index === 0 ? "curve" : "curve two", d: line }));
    });
    const words = `${title}, last hour: now ${present}, lowest ${unit(Math.min(...all))}, highest ${unit(Math.max(...all))}.`;
    return make("figure", {}, caption,
      draw("svg", { viewBox: "0 0 600 100", preserveAspectRatio: "none", role: "img", "aria-label": words }, ...inner),
      make("div", { class: "axis", "aria-hidden": "true" },
        make("span", {}, "1 h ago"), make("span", {}, `top: ${unit(top)}`), make("span", {}, "now")),
      lines.length > 1 ? make("p", { class: "axis" }, ...lines.map((each, index) =>
        make("span", {}, make("span", { class: index === 0 ? "key" : "key two", "aria-hidden": "true" }), each.name))) : null);
  }
  const rows = pairs => pairs.filter(([, value]) => value !== null && value !== "")
    .flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]);

  // The parts of the page.
  function named(streams) {
    const more = streams.count - streams.names.length;
    return `${whole(streams.count)}: ${streams.names.join(", ")}${more > 0 ? ` and ${whole(more)} more` : ""}`;
  }
  function showFeed() {
    const feed = status.feed;
    if (history) {
      const samples = history.samples;
      put("in",
        chart("Ticks a second", [{ name: "", values: samples.ticks_per_second }], figure),
        chart("Delay of the exchange", [
          { name: "half of the ticks are faster", values: samples.delay_median_seconds },
          { name: "99 of 100 are faster", values: samples.delay_p99_seconds }], delay));
    }
    const proven = (status.completeness?.kinds ?? []).filter(kind => kind.streams > 0).map(kind =>
      make("div", {}, `${kind.kind}: ${whole(kind.proven_streams)} of ${counted(kind.streams, "stream")}, ${whole(kind.proven_ticks)} of ${counted(kind.ticks, "tick")}`));
    put("feed", ...rows([
      ["Feed", feed.connected
        ? `connected since ${clock(feed.since)}, for ${length(since(feed.since))}${feed.paused ? "; paused: the log cannot take more" : ""}`
        : `not connected${feed.since ? ` since ${clock(feed.since)}, for ${length(since(feed.since))}` : ""}`],
      ["Next attempt", feed.next_attempt_at ? clock(feed.next_attempt_at) : null],
      ["Connections", feed.connections === null ? null : `${whole(feed.connections)} of ${whole(feed.planned_connections)}; ${counted(feed.attempts_last_5_minutes, "attempt")} in the last 5 minutes`],
      ["Last tick", status.last_received_at ? moment(status.last_received_at) : "never"],
      ["Streams", feed.granted === null ? null : `${whole(feed.granted)} of ${whole(feed.streams)} granted`],
      ["Silent", feed.silent?.count ? named(feed.silent) : feed.silent ? "none" : null],
      ["Refused", feed.refused?.count ? named(feed.refused) : feed.refused ? "none" : null],
      ["Proven by ids", proven.length ? make("div", {}, ...proven) : null],
    ]));
  }
  function place(text) {
    try {
      const where = JSON.parse(text);
      if (where.bucket) return `s3://${where.bucket}/${where.folder ?? where.prefix ?? ""}`;
      if (where.table) return `table ${where.table}${where.region ? ` in ${where.region}` : ""}`;
      if (where.folder) return where.folder;
    } catch (error) {
      // It is words already.
    }
    return text;
  }
  function showConsumers() {
    if (status.consumers.length === 0) return put("out", make("p", {}, "Nothing is shipped: no destination was ever on."));
    put("out", ...status.consumers.map(consumer => {
      const name = consumer.consumer;
      const isBad = consumer.held || status.problems.some(problem => problem.part === name);
      const badge = !consumer.enabled ? ["off", "off"] : isBad ? ["bad", consumer.held ? "held" : "trouble"] : ["well", "well"];
      const columns = history?.samples.consumers[name];
      const out = status.rates?.shipped[name];
      return make("article", { class: "card" },
        make("h3", {}, name, make("span", { class: `badge ${badge[0]}` }, badge[1])),
        make("p", { class: "quiet" }, place(consumer.destination)),
        columns && consumer.enabled ? make("div", { class: "grid" },
          chart("Ticks behind", [{ name: "", values: columns.lag }], whole, whole(consumer.lag)),
          chart("Oldest waits", [{ name: "", values: columns.age_seconds }], length, consumer.lag === 0 ? "–" : length(consumer.oldest_unshipped_seconds))) : null,
        make("p", {}, [
          out === undefined ? null : `${figure(out)} ticks/s out`,
          consumer.enabled ? null : `${whole(consumer.lag)} behind`,
          `${counted(consumer.dead_letters, "dead letter")}`,
          consumer.expired ? `${whole(consumer.expired)} expired` : null,
          consumer.skipped ? `${whole(consumer.skipped)} skipped` : null,
          consumer.open_batches ? counted(consumer.open_batches, "open batch").replace("batchs", "batches") : null,
        ].filter(each => each !== null).join(" · ")),
        consumer.held ? make("p", {}, `Held since ${clock(consumer.held.since)}: ${consumer.held.why}`) : null);
    }));
  }
  function showGaps() {
    if (!history) return;
    const to = now(), from = to - DAY;
    const gaps = history.gaps.filter(gap => (gap.ended_at ?? to) >= from);
    const open = gaps.filter(gap => gap.ended_at === null).length;
    const words = gaps.length === 0 ? "No gap." : `${counted(gaps.length, "gap")}, ${open === 0 ? "none" : whole(open)} open.`;
    const x = time => Math.max(0, Math.min(600, 600 * (time - from) / (to - from)));
    const marks = gaps.map(gap => {
      const start = x(gap.started_at), end = x(gap.ended_at ?? to);
      // The shortest is seen as well.
      const width = Math.max(2, end - start);
      return draw("rect", { class: gap.ended_at === null ? "gap open" : "gap", x: Math.min(start, 600 - width).toFixed(1), y: 10, width: width.toFixed(1), height: 80 });
    });
    const table = gaps.length === 0 ? null : make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Newest gaps" }, make("table", {},
      make("thead", {}, make("tr", {}, ...["From", "Length", "Cause", "Streams"].map(each => make("th", { scope: "col" }, each)))),
      make("tbody", {}, ...gaps.slice(-10).reverse().map(gap => make("tr", {},
        make("td", { class: "short" }, clock(gap.started_at)),
        make("td", { class: "short" }, `${length(((gap.ended_at ?? to) - gap.started_at) / 1e6)}${gap.ended_at === null ? ", open" : ""}`),
        make("td", {}, gap.cause),
        make("td", {}, `${gap.streams.join(", ")}${gap.stream_count > gap.streams.length ? ` and ${whole(gap.stream_count - gap.streams.length)} more` : ""}`))))));
    put("gaps", make("figure", { class: "timeline" },
      make("figcaption", {}, make("span", {}, words)),
      draw("svg", { viewBox: "0 0 600 100", preserveAspectRatio: "none", role: "img", "aria-label": `Time line of 24 hours. ${words}` },
        draw("rect", { class: "lane", x: 0, y: 10, width: 600, height: 80 }), ...marks),
      make("div", { class: "axis", "aria-hidden": "true" }, ...["24 h ago", "18 h", "12 h", "6 h", "now"].map(each => make("span", {}, each)))),
      ...(table ? [table] : []));
  }
  function showDisk() {
    const volume = history?.volume;
    if (volume) {
      const share = volume.size_bytes > 0 ? volume.available_bytes / volume.size_bytes : 0;
      const isBad = status.disk !== null && status.disk !== "normal";
      const bar = draw("svg", { class: isBad ? "bar bad" : "bar", viewBox: "0 0 100 1", preserveAspectRatio: "none", "aria-hidden": "true" },
        draw("rect", { class: "used", x: 0, y: 0, width: (100 - share * 100).toFixed(1), height: 1 }));
      const left = history.seconds_until_full;
      // The first ten minutes tell nothing: trimming and checkpoints make steps.
      const known = history.samples.available_bytes.filter(each => each !== null).length * history.interval_seconds;
      const forecast = left === null && known < 600 ? "How long it lasts is known ten minutes after the start." :
        left === null ? "It does not get less, as far as the last hour tells." : `As the last hour went, it is full in ${length(left)}, at ${clock(now() + left * 1e6)}.`;
      const words = `${bytes(volume.available_bytes)} of ${bytes(volume.size_bytes)} free (${Math.floor(share * 100)} %)`;
      put("disk", make("div", {}, make("p", {}, words), bar, make("p", {}, forecast)),
        chart("Free on the volume", [{ name: "", values: history.samples.available_bytes }], bytes, null, volume.size_bytes));
    }
    put("files", ...rows([
      ["State", status.disk],
      ["Log", `${bytes(status.file_bytes)}, SQLite's WAL ${bytes(status.wal_bytes)}`],
      ["Ticks kept", status.oldest === null ? "none" : `${whole(status.oldest)} to ${whole(status.head)}`],
    ]));
  }
  function showRest() {
    if (history) {
      const objects = [...history.objects].sort((one, other) => other.confirmed_at - one.confirmed_at).slice(0, 8);
      put("objects", objects.length === 0 ? make("p", {}, "None confirmed since this process started.") :
        make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Last objects" }, make("table", {},
          make("thead", {}, make("tr", {}, ...["Confirmed", "Size", "To", "Key"].map(each => make("th", { scope: "col" }, each)))),
          make("tbody", {}, ...objects.map(each => make("tr", {},
            make("td", { class: "short" }, moment(each.confirmed_at)), make("td", { class: "short" }, bytes(each.bytes)),
            make("td", { class: "short" }, each.consumer), make("td", {}, each.key)))))));
    }
    const letters = [["feed", status.rejected_input], ["import", status.rejected_import],
      ...status.consumers.map(each => [each.consumer, each.dead_letters])].filter(([, count]) => count > 0);
    const keys = history === null ? null : {
      none: "none in use", lasting: "do not expire",
      expiring: `expire at ${clock(history.credentials_expiry * 1e6)}, ${history.credentials_expiry * 1e6 > now() ? "in " + length(history.credentials_expiry - now() / 1e6) : "which is over"}`,
    }[history.credentials];
    put("more", ...rows([
      ["Dead letters", letters.length === 0 ? "none" : letters.map(([name, count]) => `${whole(count)} of ${name}`).join(", ") + "; see `tickwal dead-letters list`"],
      ["Credentials", keys],
      ["AWS' clock", history?.clock_offset_seconds ? `${history.clock_offset_seconds} s ahead of this machine's` : null],
    ]));
  }
  function show() {
    showVerdict();
    if (status === null) return;
    say("log", status.path);
    showFeed();
    showConsumers();
    showGaps();
    showDisk();
    showRest();
    root.classList.add("scripted");
  }

  // A page that woke up, or came to the front again, asks at once.
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { showVerdict(); poll(); } });
  window.addEventListener("online", poll);
  setInterval(showVerdict, 1000);
  poll();
})();
