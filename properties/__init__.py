"""What must hold, and how it is shown: Z3's part of flushproof.

Where to start reading: `first_order` (one translation of the intermediate representation to formulas), then
`induction`.

| file | what it answers |
| --- | --- |
| `certify` | is this trace true?  `certify(trace) -> Certificate` |
| `decide` | does a property hold on these projections of reachable states?  `decide(instance, property, projections)` |
| `induction` | is this an invariant for any number of elements?  `prove(system, properties, lemmas) -> Proof` |
| `counterexample` | what breaks it?  two states at small sizes, `picture(counterexample)` |
| `inference` | which lemmas are missing?  `infer(system, properties, samples, lemmas) -> Inference` |
| `bounded` | is there a violation within so many steps?  `check_bounded`, `k_induction` |
| `graph` | what does the proof rest on?  `proof_graph`, `mermaid`, `svg` |
| `certificates` | a proof as a file: `save(proof, instance, path)`, `verify(path, system)` |
| `printing` | a clause as a lemma to paste into a system: `show_lemma(name, clause)` |

Layers: `domain`, `first_order`, `slots` and `solver` know Z3; the rest talks in the model's terms.  `columns` (many
states at once), `vocabulary` (what can be said) and `cubes` (which clause excludes a state) serve the search for
lemmas.  Nothing here explores: reachable states come in from the layer above.
"""
