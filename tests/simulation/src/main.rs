//! The simulation as a program.
use rejoinder_simulation::{run::run, swarm};
fn main() {
    let mut args = std::env::args().skip(1);
    let start: u64 = args.next().map_or(0, |a| a.parse().unwrap());
    let count: u64 = args.next().map_or(100, |a| a.parse().unwrap());
    let told = args.next().is_some();
    std::panic::set_hook(Box::new(|_| {}));
    let t = std::time::Instant::now();
    let mut bad = std::collections::BTreeMap::new();
    let mut events = 0;
    for seed in start..start + count {
        let v = run(&swarm::schedule(seed), told);
        events += v.events;
        if told { for l in v.lines { println!("{l}"); } }
        if let Some(x) = v.violation {
            let e = bad.entry(x.invariant).or_insert((0, seed, x.to_string()));
            e.0 += 1;
        }
    }
    println!("{} seeds, {} events, {:?}, {:.0}/s", count, events, t.elapsed(), count as f64 / t.elapsed().as_secs_f64());
    for (i, (n, seed, text)) in bad { let t: String = text.chars().take(700).collect(); println!("{i:?} x{n} seed {seed}: {t}"); }
}
