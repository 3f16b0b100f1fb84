"""What must hold, and how it is shown: Z3's part of flushproof.

Where to start reading: `formulas.first_order` (one translation of the intermediate representation to formulas), then
`induction.induction`.

| file | what it answers |
| --- | --- |
| `confirmation.certify` | is this trace true?  `certify(trace) -> Certificate` |
| `confirmation.decide` | does a property hold on these reachable states?  `decide(instance, property, projections)` |
| `induction.induction` | is this an invariant for any number of elements?  `prove(system, properties, lemmas) -> Proof` |
| `induction.counterexample` | what breaks it?  two states at small sizes, `picture(counterexample)` |
| `induction.unrolling` | is there a violation within so many steps?  `check_bounded`, `k_induction` |
| `induction.graph` | what does the proof rest on?  `proof_graph`, `mermaid`, `svg` |
| `induction.certificates` | a proof as a file: `save(proof, instance, path)`, `verify(path, system)` |
| `lemmas.search` | which lemmas are missing?  `infer(system, properties, samples, lemmas) -> Inference` |
| `operands.questions` | is an emulation of a trapped TLBI right for all operands?  `review(emulation, assumptions)` |
| `formulas.printing` | a clause as a lemma to paste into a system: `show_lemma(name, clause)` |

All wings rest on `formulas`: `domain`, `first_order`, `slots` and `solver` know Z3; the rest talks in the model's terms.
`lemmas` searches with the help of `induction`.  Nothing here explores: reachable states come in from the layer above.
"""
