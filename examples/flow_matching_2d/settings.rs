//! What to run.

use lexopt::prelude::*;

use crate::methods::Method;
use crate::sets::Law;

/// Sizes of a run.
#[derive(Debug, Clone, Copy)]
pub struct Protocol {
    pub tutorial: bool,
    pub train: usize,
    pub batch: usize,
    pub steps: usize,
    /// Points of an evaluation, and how many evaluations are averaged.
    pub test: usize,
    pub draws: usize,
    pub pairs: usize,
}

const PAPER: Protocol = Protocol {
    tutorial: false,
    train: 10_000,
    batch: 512,
    steps: 19_000,
    test: 10_000,
    draws: 1,
    pairs: 20_000,
};
const TUTORIAL: Protocol = Protocol {
    tutorial: true,
    train: 50_000,
    batch: 256,
    steps: 20_000,
    test: 2000,
    draws: 3,
    pairs: 50_000,
};

#[derive(Debug, Clone)]
pub struct Settings {
    pub protocol: Protocol,
    pub methods: Vec<Method>,
    pub pairs: Vec<(Law, Law)>,
    pub first_seed: u64,
    pub runs: u64,
    pub json: bool,
}

impl Settings {
    pub fn read(about: &str) -> Settings {
        match Self::parse() {
            Ok(Some(settings)) => settings,
            Ok(None) => {
                println!("{about}");
                std::process::exit(0);
            }
            Err(e) => {
                eprintln!("{e}; --help lists the options");
                std::process::exit(2);
            }
        }
    }

    pub fn seeds(&self) -> std::ops::Range<u64> {
        self.first_seed..self.first_seed + self.runs
    }

    fn parse() -> Result<Option<Settings>, lexopt::Error> {
        let mut s = Settings {
            protocol: PAPER,
            methods: Method::ALL.to_vec(),
            pairs: Vec::new(),
            first_seed: 42,
            runs: 5,
            json: false,
        };
        let (mut sources, mut targets, mut steps, mut quick) = (Vec::new(), Vec::new(), None, false);
        let mut parser = lexopt::Parser::from_env();
        while let Some(arg) = parser.next()? {
            match arg {
                Long("protocol") => s.protocol = parser.value()?.parse_with(protocol)?,
                Long("method") => s.methods = parser.value()?.parse_with(|v| list(v, Method::named))?,
                Long("source") => sources = parser.value()?.parse_with(|v| list(v, Law::named))?,
                Long("target") => targets = parser.value()?.parse_with(|v| list(v, Law::named))?,
                Long("seeds") => s.runs = parser.value()?.parse()?,
                Long("seed") => s.first_seed = parser.value()?.parse()?,
                Long("steps") => steps = Some(parser.value()?.parse()?),
                Long("quick") => quick = true,
                Long("json") => s.json = true,
                // The other examples' folder for pictures: this one draws none.
                Long("out") => drop(parser.value()?),
                Long("help") | Short('h') => return Ok(None),
                _ => return Err(arg.unexpected()),
            }
        }
        s.pairs = pairs(&sources, &targets);
        if quick {
            s.runs = 1;
            s.pairs.truncate(2);
            s.protocol =
                Protocol { train: 2000, batch: 128, steps: 300, test: 500, pairs: 1000, ..s.protocol };
        }
        if let Some(steps) = steps {
            s.protocol.steps = steps;
        }
        Ok(Some(s))
    }
}

/// The paper's pairs that begin and end as asked for.
fn pairs(sources: &[Law], targets: &[Law]) -> Vec<(Law, Law)> {
    use Law::{EightGaussians, Moons, Normal, SCurve};
    let all = [(Normal, EightGaussians), (Moons, EightGaussians), (Normal, Moons), (Normal, SCurve)];
    let wanted = |list: &[Law], law: Law| list.is_empty() || list.contains(&law);
    all.into_iter().filter(|&(a, b)| wanted(sources, a) && wanted(targets, b)).collect()
}

fn protocol(name: &str) -> Result<Protocol, String> {
    match name {
        "paper" => Ok(PAPER),
        "tutorial" => Ok(TUTORIAL),
        _ => Err("the protocols are paper and tutorial".into()),
    }
}

fn list<T>(names: &str, named: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
    names.split(',').map(|name| named(name).ok_or(format!("there is no {name}"))).collect()
}
