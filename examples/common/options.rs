//! The command line that all examples understand.

use std::collections::HashMap;
use std::path::PathBuf;

use lexopt::prelude::*;

/// Where to write, from which seed, how long, and how to print.
#[derive(Debug, Clone)]
pub struct Options {
    pub seed: u64,
    pub out: PathBuf,
    pub quick: bool,
    pub json: bool,
    /// Passes over the data, where the example trains.
    pub epochs: Option<usize>,
}

/// An example's own options that were given, by name.
pub type Own = HashMap<&'static str, String>;

const HELP: &str = "
OPTIONS
  --seed N      seed of everything random (default 0); the same seed gives the same output
  --out DIR     where pictures go (default: out)
  --quick       a short run that shows that everything works
  --epochs N    passes over the data in each training phase (examples that train)
  --json        print one JSON object a line instead of a table (examples that print a table)
  --help        this text";

impl Options {
    /// Reads the command line; prints what the example does on `--help`, and says what is wrong with the rest.
    pub fn read(about: &str) -> Options {
        Self::read_with(about, &[]).0
    }

    /// The same, with options of the example's own, each of which takes a value: those that were given, by name.
    pub fn read_with(about: &str, own: &[&'static str]) -> (Options, Own) {
        match Self::parse(own) {
            Ok(Some(options)) => options,
            Ok(None) => {
                println!("{about}\n{HELP}");
                std::process::exit(0);
            }
            Err(e) => {
                eprintln!("{e}; --help lists the options");
                std::process::exit(2);
            }
        }
    }

    fn parse(own: &[&'static str]) -> Result<Option<(Options, Own)>, lexopt::Error> {
        let mut given = HashMap::new();
        let mut o = Options { seed: 0, out: PathBuf::from("out"), quick: false, json: false, epochs: None };
        let mut parser = lexopt::Parser::from_env();
        while let Some(arg) = parser.next()? {
            match arg {
                Long("seed") => o.seed = parser.value()?.parse()?,
                Long("out") => o.out = parser.value()?.into(),
                Long("epochs") => o.epochs = Some(parser.value()?.parse()?),
                Long("quick") => o.quick = true,
                Long("json") => o.json = true,
                Long("help") | Short('h') => return Ok(None),
                Long(name) => match own.iter().find(|own| **own == name) {
                    Some(own) => drop(given.insert(*own, parser.value()?.string()?)),
                    None => return Err(arg.unexpected()),
                },
                _ => return Err(arg.unexpected()),
            }
        }
        Ok(Some((o, given)))
    }

    /// The path of an output file, in a folder that exists.
    pub fn file(&self, name: &str) -> std::io::Result<PathBuf> {
        std::fs::create_dir_all(&self.out)?;
        Ok(self.out.join(name))
    }
}
