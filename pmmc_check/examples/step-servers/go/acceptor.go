// An acceptor in Go, as a step server. With --forget it has a bug: on a new ballot it forgets what it has accepted.
// Debian: apt-get install golang-go; then go build -o acceptor-step acceptor.go
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
)

type ballot struct{ round, leader int }

func parse(text string) ballot {
	b := ballot{-1, 0} // "-", below all others
	fmt.Sscanf(text, "%d.L%d", &b.round, &b.leader)
	return b
}

func (b ballot) above(other ballot) bool {
	return b.round > other.round || b.round == other.round && b.leader > other.leader
}

// What is to be tested. The step protocol's texts serve as they are: a ballot "0.L1", a pvalue "0.L1/1/C1:1:op1".
type acceptor struct {
	Ballot   string   `json:"ballot"`
	Accepted []string `json:"accepted"`
}

var forgets = len(os.Args) > 1 && os.Args[1] == "--forget"

func (a *acceptor) p1a(b string) {
	if parse(b).above(parse(a.Ballot)) {
		a.Ballot = b
		if forgets {
			a.Accepted = []string{} // the bug
		}
	}
}

func (a *acceptor) p2a(b string, slot int, command string) {
	pvalue := fmt.Sprintf("%s/%d/%s", b, slot, command)
	at := sort.SearchStrings(a.Accepted, pvalue)
	if b == a.Ballot && (at == len(a.Accepted) || a.Accepted[at] != pvalue) {
		a.Accepted = append(a.Accepted, pvalue)
		sort.Strings(a.Accepted)
	}
}

type message struct {
	To       string    `json:"to,omitempty"`
	Msg      string    `json:"msg"`
	B        string    `json:"b"`
	S        int       `json:"s,omitempty"`
	C        string    `json:"c,omitempty"`
	Accepted *[]string `json:"accepted,omitempty"`
}

type question struct {
	Id      int
	Ask     string
	State   acceptor
	Message message
}

type outcome struct {
	State acceptor  `json:"state"`
	Sends []message `json:"sends"`
}

func step(a *acceptor, m message) []message {
	switch m.Msg {
	case "p1a":
		a.p1a(m.B)
		return []message{{To: m.B, Msg: "p1b", B: a.Ballot, Accepted: &a.Accepted}}
	case "p2a":
		a.p2a(m.B, m.S, m.C)
		return []message{{To: fmt.Sprintf("%s/%d", m.B, m.S), Msg: "p2b", B: a.Ballot}}
	}
	return []message{}
}

func main() {
	questions := json.NewDecoder(os.Stdin)
	for questions.More() {
		asked := question{State: acceptor{"-", []string{}}}
		if err := questions.Decode(&asked); err != nil {
			panic(err)
		}
		answer := map[string]any{"id": asked.Id, "role": "acceptor", "name": "GoAcceptor", "symmetric": true, "only_halts": true, "restarts": true}
		if asked.Ask != "hello" {
			sends := []message{} // of start, and of restart: all is durable
			if asked.Ask == "step" {
				sends = step(&asked.State, asked.Message)
			}
			answer = map[string]any{"id": asked.Id, "outcomes": []outcome{{asked.State, sends}}}
		}
		json.NewEncoder(os.Stdout).Encode(answer)
	}
}
