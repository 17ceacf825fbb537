"""The look of pages: light or dark as the reader has it, one column on a phone."""

from __future__ import annotations

GROUPS = 6  # colours; a seventh family begins anew
_RULES = """
:root{color-scheme:light dark;--bg:#fff;--fg:#1f2937;--quiet:#6b7280;--line:#e5e7eb;--card:#f9fafb;
--target:#b45309;--budget:#b91c1c;--g0:#2563eb;--g1:#059669;--g2:#9333ea;--g3:#c2410c;--g4:#0e7490;
--g5:#a16207;--good:#047857;--warn:#b45309}
@media(prefers-color-scheme:dark){:root{--bg:#111827;--fg:#e5e7eb;--quiet:#9ca3af;--line:#374151;
--card:#1f2937;--target:#fbbf24;--budget:#f87171;--g0:#60a5fa;--g1:#34d399;--g2:#c084fc;--g3:#fb923c;
--g4:#22d3ee;--g5:#facc15;--good:#34d399;--warn:#fbbf24}}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:0 auto;padding:1rem .8rem 3rem;
color:var(--fg);background:var(--bg);overflow-wrap:anywhere}
h1{font-size:1.35rem;line-height:1.25;margin:.4rem 0}h2{font-size:1.05rem;margin:1.6rem 0 .3rem}
p{margin:.4rem 0}.quiet{color:var(--quiet)}.warn{color:var(--warn);font-weight:600}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.6rem;margin:1rem 0}
.tile{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.5rem .7rem}
.tile b{display:block;font-size:1.3rem;line-height:1.3;font-variant-numeric:tabular-nums}
.tile span{color:var(--quiet);font-size:.85rem}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,21rem),1fr));
gap:0 1.5rem}
svg{display:block;width:100%;max-width:34rem;height:auto;overflow:visible}
svg text{font:11px system-ui,sans-serif;fill:var(--fg)}svg .quiet{fill:var(--quiet)}
svg .middle{text-anchor:middle}svg .end{text-anchor:end}svg .strong{font-weight:700}
svg text.target{fill:var(--target)}svg text.budget{fill:var(--budget)}
.grid{stroke:var(--line)}.target,.budget{stroke-dasharray:5 3;stroke-width:1.5}
line.target{stroke:var(--target)}line.budget{stroke:var(--budget)}
.dot{fill:var(--bg);stroke-width:1.6}.ring,.cross,.curve{fill:none;stroke-width:1.8}
.curve{stroke:var(--g0)}.bar{fill:var(--quiet);opacity:.55}.bar.over{fill:var(--budget)}
.bar.chosen{fill:var(--g0);opacity:1}
GROUPS
table{border-collapse:collapse;width:100%;margin:.4rem 0}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;
border-bottom:1px solid var(--line)}
th{color:var(--quiet);font-weight:500;overflow-wrap:normal}td.n{white-space:nowrap}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
tr.chosen td{font-weight:600}tr.chosen td.why{color:var(--good)}td.why{font-size:.92em}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.4rem 0}
dt{color:var(--quiet)}dd{margin:0}.key{display:inline-block;margin-right:1rem}
.key i{display:inline-block;width:.65em;height:.65em;border-radius:50%;margin-right:.35em}
@media(max-width:640px){.cards thead{display:none}.cards tr{display:block;padding:.5rem 0;
border-bottom:1px solid var(--line)}.cards td{display:flex;gap:.6rem;border:0;padding:.05rem 0;
text-align:left!important}.cards td::before{content:attr(data-name);
color:var(--quiet);flex:0 0 6rem;
font-weight:400}.cards td:empty{display:none}}
"""
_OF_GROUPS = "\n".join(
    f".g{n}.dot,.g{n}.ring,.g{n}.cross{{stroke:var(--g{n})}}"
    f".g{n}.filled{{fill:var(--g{n})}}i.g{n}{{background:var(--g{n})}}"
    for n in range(GROUPS)
)
STYLE = _RULES.replace("GROUPS", _OF_GROUPS).strip()
