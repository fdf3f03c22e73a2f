"""How a report looks: on a desktop, a phone, in the dark and on paper."""

STYLE = """
:root { color-scheme: light dark; --text: #1f2328; --page: #fff; --soft: #f4f6f8; --line: #d0d7de;
  --note: #fff8e1; --edge: #e0a800; --link: #0b5cad; }
@media screen and (prefers-color-scheme: dark) { :root { --text: #e6edf3;
  --page: #0f1419; --soft: #1a2129; --line: #3a434d; --note: #2b2510; --edge: #b58900;
  --link: #7cb7ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem; font: 16px/1.5 system-ui, sans-serif;
  color: var(--text); background: var(--page); }
h1 { font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; overflow-wrap: anywhere; margin-bottom: .3rem; }
nav { font-size: .9rem; margin-top: 1rem; } nav a { margin-right: 1rem; } a { color: var(--link); }
.believe { background: var(--note); border-left: 4px solid var(--edge); padding: .6rem 1rem; }
.believe p { margin: .4rem 0; }
.key { display: flex; flex-wrap: wrap; gap: 1rem; padding: 0; list-style: none; }
.key li { background: var(--soft); border-radius: 6px; padding: .5rem 1rem; }
.key b { display: block; font-size: 1.4rem; }
svg { display: block; width: 100%; max-width: 46rem; height: auto;
  font: 13px system-ui, sans-serif; }
svg text { fill: var(--text); } svg .empty { fill: var(--soft); }
svg .interval { stroke: var(--text); fill: none; } svg .axis { stroke: var(--line); }
.legend span { white-space: nowrap; margin-right: 1rem; }
.legend i { display: inline-block; width: .8em; height: .8em; border-radius: 2px;
  margin-right: .35em; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line);
  vertical-align: top; }
/* Names break anywhere; what is beside them scrolls, where there is no room. */
th:first-child { min-width: 7rem; overflow-wrap: anywhere; } tbody th { font-weight: normal; }
td.n, th.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
audio { width: 15rem; max-width: 60vw; height: 2rem; }
code { background: var(--soft); padding: 0 .25em; border-radius: 3px; overflow-wrap: anywhere; }
/* What is not on the screen yet is drawn when it is: sixty players take their time. */
section { content-visibility: auto; contain-intrinsic-size: auto 40rem; }
@media (max-width: 40rem) { svg { font-size: 17px; } .key { gap: .5rem; } }
/* Paper is light, does not scroll and plays nothing; a drawing and a row stay on one page. */
@media print { :root { color-scheme: light; } body { max-width: none; padding: 0; font-size: 13px; }
  nav, audio, #listen table:has(audio) :is(th, td):nth-child(3) { display: none; }
  section { content-visibility: visible; } .wide { overflow: visible; }
  h2 { margin-top: 1.5rem; } h2, h3, .legend, p:has(+ svg), #time svg { break-after: avoid; }
  svg, tr, .believe, .key { break-inside: avoid; } svg { max-width: 36rem; }
  table { font-size: 11px; } th, td { padding: .15rem .4rem; } th.n { white-space: normal; }
  .legend i, .believe { print-color-adjust: exact; } }
"""
