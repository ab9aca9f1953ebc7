//! An acceptor in Rust, as a step server. With `--forget` it has a bug: on a new ballot it forgets what it has accepted.
use serde_json::{json, Value};
use std::collections::BTreeSet;
use std::io::{self, BufRead, Write};

/// A ballot such as "0.L1"; "-" is the one below all others.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Ballot {
    round: i64,
    leader: i64,
}

impl Ballot {
    fn parse(text: &str) -> Ballot {
        let (round, leader) = text.split_once(".L").unwrap_or(("-1", "0"));
        Ballot { round: round.parse().unwrap(), leader: leader.parse().unwrap() }
    }

    fn text(&self) -> String {
        if self.round < 0 { "-".into() } else { format!("{}.L{}", self.round, self.leader) }
    }
}

/// What is to be tested: an acceptor that knows nothing of JSON.
struct Acceptor {
    ballot: Ballot,
    accepted: BTreeSet<String>, // pvalues such as "0.L1/1/C1:1:op1"
    forgets: bool,
}

impl Acceptor {
    fn p1a(&mut self, ballot: Ballot) {
        if ballot > self.ballot {
            self.ballot = ballot;
            if self.forgets {
                self.accepted.clear(); // the bug
            }
        }
    }

    fn p2a(&mut self, ballot: Ballot, slot: i64, command: &str) {
        if ballot == self.ballot {
            self.accepted.insert(format!("{}/{}/{}", ballot.text(), slot, command));
        }
    }
}

fn outcome(acceptor: &Acceptor, sends: Value) -> Value {
    json!([{"state": {"ballot": acceptor.ballot.text(), "accepted": acceptor.accepted}, "sends": sends}])
}

/// The outcomes of delivering a message.
fn step(acceptor: &mut Acceptor, message: &Value) -> Value {
    let asked = message["b"].as_str().unwrap_or("-");
    let sends = match message["msg"].as_str().unwrap() {
        "p1a" => {
            acceptor.p1a(Ballot::parse(asked));
            json!([{"to": asked, "msg": "p1b", "b": acceptor.ballot.text(), "accepted": acceptor.accepted}])
        }
        "p2a" => {
            let slot = message["s"].as_i64().unwrap();
            acceptor.p2a(Ballot::parse(asked), slot, message["c"].as_str().unwrap());
            json!([{"to": format!("{asked}/{slot}"), "msg": "p2b", "b": acceptor.ballot.text()}])
        }
        _ => json!([]),
    };
    outcome(acceptor, sends)
}

fn main() {
    let forgets = std::env::args().any(|each| each == "--forget");
    for line in io::stdin().lock().lines() {
        let asked: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let state = &asked["state"];
        let accepted = state["accepted"].as_array().into_iter().flatten().map(|each| each.as_str().unwrap().to_string());
        let ballot = Ballot::parse(state["ballot"].as_str().unwrap_or("-"));
        let mut acceptor = Acceptor { ballot, accepted: accepted.collect(), forgets };
        let mut answer = match asked["ask"].as_str().unwrap() {
            "hello" => json!({"role": "acceptor", "name": "RustAcceptor", "symmetric": true, "only_halts": true, "restarts": true}),
            "step" => json!({"outcomes": step(&mut acceptor, &asked["message"])}),
            _ => json!({"outcomes": outcome(&acceptor, json!([]))}), // start, and restart: all is durable
        };
        answer["id"] = asked["id"].clone();
        println!("{answer}");
        io::stdout().flush().unwrap();
    }
}
