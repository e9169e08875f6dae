"""The look of the page, and how it says that things were measured."""

CSS = """
:root { color-scheme: light } * { box-sizing: border-box }
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2430; background: #fff; max-width: 1120px; margin: 2rem auto;
  padding: 0 1rem }
h1 { font-size: 1.7rem; margin: 0 } h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem } p { margin: .4rem 0 }
.quiet { color: #687385; font-size: .88rem } .wide { overflow-x: auto } svg { width: 100%; height: auto }
table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; margin: .4rem 0 }
th { text-align: left; font-weight: 600; border-bottom: 2px solid #d4dae2; vertical-align: bottom }
th, td { padding: .22rem .7rem .22rem 0; white-space: nowrap } td { border-bottom: 1px solid #eceff3 }
td.n, th.n { text-align: right } details { margin: .3rem 0 } summary { cursor: pointer }
.finding { border-left: 4px solid #8fa3b8; background: #f5f7fa; padding: .5rem .9rem; margin: .5rem 0 }
.warning { border-color: #c8372d; background: #fdf3f2 } .clean { border-color: #2e8b57; background: #f1f8f4 }
.chip { font-size: .74rem; font-weight: 600; text-transform: uppercase; letter-spacing: .04em; margin-right: .5rem }
.warning .chip { color: #c8372d } .note .chip { color: #52647a }
"""
METHOD = """Rows are read as the model will read them: encoded, with vocabularies that were fitted on train. So tokens
that are unseen or rare look alike, in the counts and in the search for equal rows. Label rates are not weighted by
example weights. Items of a multi-valued field are counted one by one in the tables of values; all other shares are
of rows. "Effective" is exp(entropy) of train's values: as many equally frequent ones would be as hard to guess.
A field alone predicts valid by the label rate of its value in train, with 20 rows of the average added to each value;
several items of a row are averaged; a number by the rate of its quantile bin among 32, or by itself in the better
direction, whichever scores higher. Numbers are shown as encoded (those of several slots as they were in the file); in a
field of one slot a missing one is 0. Quantiles, bins and scores use even samples of at most 2^20 rows."""
