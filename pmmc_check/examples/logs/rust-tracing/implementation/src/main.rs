//! A small multi-Paxos, whose threads log with tracing: three acceptors, two leaders one after the other, a replica.
//! All of them write to one log, in JSON: cargo run > paxos.log

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::mpsc::{channel, Receiver, Sender};
use std::thread;
use tracing::{debug, info, info_span};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Ballot { round: u32, leader: u32 }

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Command { client: u32, seq: u32, op: String }

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Accepted { ballot: Ballot, slot: u64, cmd: Command }

impl fmt::Display for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result { write!(f, "{}@{}", self.round, self.leader) }
}
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result { write!(f, "c{}#{} {}", self.client, self.seq, self.op) }
}
impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result { write!(f, "{} in {}: ({})", self.ballot, self.slot, self.cmd) }
}

enum Msg {
    Request(Command),
    Propose(u64, Command),
    Prepare(Ballot),
    Promise { from: u32, ballot: Option<Ballot>, attempt: Ballot, accepted: BTreeSet<Accepted> },
    Accept(Ballot, u64, Command),
    Vote { from: u32, ballot: Option<Ballot>, attempt: Ballot, slot: u64 },
    Decided { by: Ballot, slot: u64, cmd: Command },
    Retire,
}

type Boxes = BTreeMap<(&'static str, u32), Sender<Msg>>;

fn show(ballot: Option<Ballot>) -> String { ballot.map_or("none".into(), |b| b.to_string()) }

fn acceptor(me: u32, inbox: Receiver<Msg>, net: Boxes) {
    let _span = info_span!("node", role = "acceptor", id = me).entered();
    let (mut promised, mut accepted): (Option<Ballot>, BTreeSet<Accepted>) = (None, BTreeSet::new());
    for msg in inbox {
        match msg {
            Msg::Prepare(b) => {
                info!(ballot = %b, "got prepare");
                promised = promised.max(Some(b));
                info!(ballot = %show(promised), attempt = %b, ?accepted, "promising");
                let answer = Msg::Promise { from: me, ballot: promised, attempt: b, accepted: accepted.clone() };
                let _ = net[&("leader", b.leader)].send(answer);
            }
            Msg::Accept(b, slot, cmd) => {
                info!(ballot = %b, slot, %cmd, "got accept");
                if promised == Some(b) {
                    accepted.insert(Accepted { ballot: b, slot, cmd });
                }
                info!(ballot = %show(promised), attempt = %b, slot, "voting");
                let _ = net[&("leader", b.leader)].send(Msg::Vote { from: me, ballot: promised, attempt: b, slot });
            }
            _ => return,
        }
    }
}

fn leader(me: u32, inbox: Receiver<Msg>, net: Boxes) {
    let _span = info_span!("node", role = "leader", id = me).entered();
    let ballot = Ballot { round: 0, leader: me };
    let mut proposals: BTreeMap<u64, Command> = BTreeMap::new();
    let (mut promises, mut found) = (BTreeSet::new(), BTreeSet::new());
    let (mut active, mut over) = (false, false);
    let mut votes: BTreeMap<u64, BTreeSet<u32>> = BTreeMap::new();
    let mut decided = BTreeSet::new();
    let command = |slot: u64, cmd: &Command| {
        info!(%ballot, slot, %cmd, "asking to accept");
        (1..=3).for_each(|a| { let _ = net[&("acceptor", a)].send(Msg::Accept(ballot, slot, cmd.clone())); });
    };
    info!(%ballot, "preparing");
    (1..=3).for_each(|a| { let _ = net[&("acceptor", a)].send(Msg::Prepare(ballot)); });
    for msg in inbox {
        match msg {
            Msg::Propose(slot, cmd) => {
                info!(slot, %cmd, "got proposal");
                if !proposals.contains_key(&slot) {
                    if active { command(slot, &cmd); }
                    proposals.insert(slot, cmd);
                }
            }
            Msg::Promise { from, ballot: b, attempt, accepted } => {
                info!(from, ballot = %show(b), %attempt, ?accepted, "got promise");
                if active || over { continue; }
                if b != Some(ballot) { over = true; continue; }
                promises.insert(from);
                found.extend(accepted);
                if promises.len() == 2 {
                    debug!(%ballot, "elected");
                    active = true;
                    found.iter().for_each(|each| { proposals.insert(each.slot, each.cmd.clone()); }); // in the order of ballots
                    proposals.iter().for_each(|(slot, cmd)| command(*slot, cmd));
                }
            }
            Msg::Vote { from, ballot: b, attempt, slot } => {
                info!(from, ballot = %show(b), %attempt, slot, "got vote");
                if b != Some(ballot) { over = true; active = false; continue; }
                let of = votes.entry(slot).or_default();
                of.insert(from);
                if of.len() >= 2 && decided.insert(slot) {
                    let cmd = proposals[&slot].clone();
                    info!(by = %ballot, slot, %cmd, "decided");
                    let _ = net[&("replica", 1)].send(Msg::Decided { by: ballot, slot, cmd });
                }
            }
            _ => return,
        }
    }
}

fn replica(inbox: Receiver<Msg>, net: Boxes, performed: Sender<u64>) {
    let _span = info_span!("node", role = "replica", id = 1).entered();
    let (mut next, mut done) = (1u64, 1u64);
    let mut decisions: BTreeMap<u64, Command> = BTreeMap::new();
    for msg in inbox {
        match msg {
            Msg::Request(cmd) => {
                info!(%cmd, "got request");
                info!(slot = next, %cmd, "proposing");
                (1..=2).for_each(|l| { let _ = net[&("leader", l)].send(Msg::Propose(next, cmd.clone())); });
                next += 1;
            }
            Msg::Decided { by, slot, cmd } => {
                info!(%by, slot, %cmd, "learned");
                decisions.insert(slot, cmd);
                while let Some(cmd) = decisions.get(&done) {
                    info!(client = cmd.client, seq = cmd.seq, result = done, "answering");
                    let _ = performed.send(done);
                    done += 1;
                }
            }
            _ => return,
        }
    }
}

fn main() {
    tracing_subscriber::fmt().json().with_max_level(tracing::Level::DEBUG).init();
    let names = [("acceptor", 1), ("acceptor", 2), ("acceptor", 3), ("leader", 1), ("leader", 2), ("replica", 1)];
    let (mut net, mut inboxes): (Boxes, BTreeMap<_, Receiver<Msg>>) = Default::default();
    for name in names {
        let (to, from) = channel();
        net.insert(name, to);
        inboxes.insert(name, from);
    }
    let (performed, count) = channel();
    let mut threads = Vec::new();
    for id in 1..=3 {
        let (inbox, net) = (inboxes.remove(&("acceptor", id)).unwrap(), net.clone());
        threads.push(thread::spawn(move || acceptor(id, inbox, net)));
    }
    let (inbox, all) = (inboxes.remove(&("replica", 1)).unwrap(), net.clone());
    threads.push(thread::spawn(move || replica(inbox, all, performed)));
    for id in 1..=2 {
        let (inbox, all) = (inboxes.remove(&("leader", id)).unwrap(), net.clone());
        threads.push(thread::spawn(move || leader(id, inbox, all)));
        for seq in (id - 1) * 4 + 1..=id * 4 {
            let _ = net[&("replica", 1)].send(Msg::Request(Command { client: 1, seq, op: format!("put {seq}") }));
        }
        (0..4).for_each(|_| { count.recv().unwrap(); });
    }
    net.values().for_each(|each| { let _ = each.send(Msg::Retire); });
    threads.into_iter().for_each(|each| each.join().unwrap());
}
