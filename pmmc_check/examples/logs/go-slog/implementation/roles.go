package main

import (
	"fmt"
	"math/rand"
	"sort"
	"time"
)

// ---- acceptors ----

func newAcceptor(p *process) (func(message), func()) {
	var promised *ballot
	accepted := []pvalue{}
	has := func(v pvalue) bool {
		for _, each := range accepted {
			if each.Slot == v.Slot && *each.Ballot == *v.Ballot {
				return true
			}
		}
		return false
	}
	return func(m message) {
		switch m.kind {
		case "prepare":
			p.log.line("prepare", "dir", "in", "ballot", m.ballot)
			if promised == nil || promised.less(*m.ballot) {
				promised = m.ballot
			}
			known := append([]pvalue{}, accepted...)
			p.log.line("promise", "dir", "out", "ballot", promised, "attempt", m.ballot, "accepted", known)
			p.net.send(m.from, message{kind: "promise", from: p.name, ballot: promised, attempt: *m.ballot, accepted: known})
		case "accept":
			p.log.line("accept", "dir", "in", "ballot", m.ballot, "slot", m.slot, "cmd", m.cmd)
			answer := promised
			if *bug == "forgets-promise" && promised != nil && m.ballot.less(*promised) {
				answer = m.ballot // it promised not to
			}
			if answer != nil && *answer == *m.ballot {
				if v := (pvalue{m.ballot, m.slot, m.cmd}); !has(v) {
					accepted = append(accepted, v)
				}
			}
			p.log.line("accepted", "dir", "out", "ballot", answer, "attempt", m.ballot, "slot", m.slot)
			p.net.send(m.from, message{kind: "accepted", from: p.name, ballot: answer, attempt: *m.ballot, slot: m.slot})
		}
	}, func() {}
}

// ---- leaders, with what the paper calls scouts and commanders inside ----

type scout struct {
	waits map[string]bool
	found []pvalue
}

type commander struct {
	ballot  ballot
	slot    int
	cmd     command
	waits   map[string]bool
	decided bool
	resends int
}

type leader struct {
	*process
	acceptors  []string
	ballot     ballot
	active     bool
	proposals  map[int]command
	scout      *scout
	commanders map[string]*commander
	quietUntil time.Time
}

func newLeader(p *process, acceptors []string) (func(message), func()) {
	l := &leader{process: p, acceptors: acceptors, ballot: ballot{0, p.name}, proposals: map[int]command{}, commanders: map[string]*commander{}}
	l.campaign()
	return l.receive, l.tick
}

func all(names []string) map[string]bool {
	waits := map[string]bool{}
	for _, each := range names {
		waits[each] = true
	}
	return waits
}

// to sends to those who have not answered, in a fixed order.
func (l *leader) to(waits map[string]bool, m message) {
	for _, each := range l.acceptors {
		if waits[each] {
			l.net.send(each, m)
		}
	}
}

func (l *leader) enough(waits map[string]bool) bool { return len(waits) < (len(l.acceptors)+1)/2 }

func (l *leader) campaign() {
	b := l.ballot
	l.scout = &scout{waits: all(l.acceptors)}
	l.log.line("prepare", "dir", "out", "ballot", b)
	l.to(l.scout.waits, message{kind: "prepare", from: l.name, ballot: &b})
}

func (l *leader) receive(m message) {
	switch m.kind {
	case "propose":
		l.log.line("propose", "dir", "in", "from", m.from, "slot", m.slot, "cmd", m.cmd)
		if _, known := l.proposals[m.slot]; !known {
			l.proposals[m.slot] = m.cmd
			if l.active {
				l.command(m.slot, m.cmd)
			}
		}
	case "promise":
		l.log.line("promise", "dir", "in", "from", m.from, "ballot", m.ballot, "attempt", m.attempt, "accepted", m.accepted)
		l.promised(m)
	case "accepted":
		c := l.commanders[key(m.attempt, m.slot)]
		older := m.ballot == nil || m.ballot.less(m.attempt)
		l.log.line("accepted", "dir", "in", "from", m.from, "ballot", m.ballot, "attempt", m.attempt, "slot", m.slot, "ignored", older)
		if c == nil || c.decided || older {
			return
		}
		if *m.ballot != c.ballot {
			delete(l.commanders, key(c.ballot, c.slot))
			l.log.line("overtaken", "who", "commander", "attempt", c.ballot, "slot", c.slot, "ballot", m.ballot)
			l.preempted(*m.ballot)
			return
		}
		delete(c.waits, m.from)
		if l.enough(c.waits) || *bug == "decides-early" {
			c.decided, c.resends = true, 3
			l.log.line("chosen", "dir", "out", "attempt", c.ballot, "slot", c.slot, "cmd", c.cmd)
			l.announce(c)
		}
	}
}

func (l *leader) promised(m message) {
	if l.scout == nil || m.attempt != l.ballot || l.active {
		return // an answer to nobody who still waits
	}
	if *m.ballot != l.ballot {
		l.scout = nil
		l.log.line("overtaken", "who", "scout", "attempt", m.attempt, "ballot", m.ballot)
		l.preempted(*m.ballot)
		return
	}
	for _, each := range m.accepted {
		l.scout.add(each)
	}
	delete(l.scout.waits, m.from)
	if !l.enough(l.scout.waits) {
		return
	}
	l.log.line("elected", "ballot", l.ballot, "found", l.scout.found)
	highest := map[int]pvalue{}
	for _, each := range l.scout.found {
		if known, ok := highest[each.Slot]; !ok || known.Ballot.less(*each.Ballot) {
			highest[each.Slot] = each
		}
	}
	for slot, each := range highest {
		if *bug != "forgets-accepted" {
			l.proposals[slot] = each.Cmd
		} else if _, mine := l.proposals[slot]; !mine {
			l.proposals[slot] = each.Cmd
		}
	}
	l.active, l.scout = true, nil
	slots := []int{}
	for slot := range l.proposals {
		slots = append(slots, slot)
	}
	sort.Ints(slots)
	for _, slot := range slots {
		l.command(slot, l.proposals[slot])
	}
}

func (s *scout) add(v pvalue) {
	for _, each := range s.found {
		if each.Slot == v.Slot && *each.Ballot == *v.Ballot {
			return
		}
	}
	s.found = append(s.found, v)
}

// preempted: it goes on with a higher ballot, after a while in which the other one may finish.
func (l *leader) preempted(b ballot) {
	if !l.ballot.less(b) {
		return
	}
	l.ballot, l.active, l.scout = ballot{b.N + 1, l.name}, false, nil
	l.quietUntil = time.Now().Add(time.Duration(5+rand.Intn(25)) * time.Millisecond)
}

func key(b ballot, slot int) string { return fmt.Sprint(b.N, b.Node, slot) }

func (l *leader) command(slot int, cmd command) {
	b := l.ballot
	c := &commander{ballot: b, slot: slot, cmd: cmd, waits: all(l.acceptors)}
	l.commanders[key(b, slot)] = c
	l.log.line("accept", "dir", "out", "ballot", b, "slot", slot, "cmd", cmd)
	l.to(c.waits, message{kind: "accept", from: l.name, ballot: &b, slot: slot, cmd: cmd})
}

func (l *leader) announce(c *commander) {
	for _, each := range replicas {
		l.net.send(each, message{kind: "chosen", from: l.name, attempt: c.ballot, slot: c.slot, cmd: c.cmd})
	}
}

// tick sends again what nobody has answered, and begins the ballot that waited.
func (l *leader) tick() {
	b := l.ballot
	if l.scout != nil {
		l.log.line("prepare", "dir", "out", "ballot", b, "retry", true)
		l.to(l.scout.waits, message{kind: "prepare", from: l.name, ballot: &b})
	} else if !l.active && time.Now().After(l.quietUntil) {
		l.campaign()
	}
	for _, c := range l.commanders {
		of := c.ballot
		if !c.decided && of == l.ballot {
			l.log.line("accept", "dir", "out", "ballot", of, "slot", c.slot, "cmd", c.cmd, "retry", true)
			l.to(c.waits, message{kind: "accept", from: l.name, ballot: &of, slot: c.slot, cmd: c.cmd})
		} else if c.resends > 0 {
			c.resends--
			l.log.line("chosen", "dir", "out", "attempt", of, "slot", c.slot, "cmd", c.cmd, "retry", true)
			l.announce(c)
		}
	}
}

// ---- replicas ----

type replica struct {
	*process
	leaders         []string
	slotIn, slotOut int
	waiting         []command
	proposals       map[int]command
	decisions       map[int]command
	performed       map[string]bool
	applied         int
}

func newReplica(p *process) (func(message), func()) {
	r := &replica{process: p, leaders: configurations[0].leaders, slotIn: 1, slotOut: 1, proposals: map[int]command{},
		decisions: map[int]command{}, performed: map[string]bool{}}
	ticks := 0
	return r.receive, func() {
		r.propose()
		if ticks++; ticks%6 == 0 {
			r.again()
		}
	}
}

func id(c command) string { return fmt.Sprint(c.Client, "/", c.Seq) }

// knows: whether the command is under way already, or done.
func (r *replica) knows(c command) bool {
	for _, each := range r.waiting {
		if each == c {
			return true
		}
	}
	for _, each := range r.proposals {
		if each == c {
			return true
		}
	}
	for _, each := range r.decisions {
		if each == c {
			return true
		}
	}
	return false
}

func (r *replica) receive(m message) {
	switch m.kind {
	case "submit":
		known := r.knows(m.cmd)
		r.log.line("submit", "dir", "in", "cmd", m.cmd, "ignored", known)
		if !known {
			r.waiting = append(r.waiting, m.cmd)
		}
	case "chosen":
		_, known := r.decisions[m.slot]
		r.log.line("chosen", "dir", "in", "attempt", m.attempt, "slot", m.slot, "cmd", m.cmd, "ignored", known)
		if !known {
			r.decisions[m.slot] = m.cmd
			r.perform()
		}
	}
}

func (r *replica) perform() {
	for cmd, ok := r.decisions[r.slotOut]; ok; cmd, ok = r.decisions[r.slotOut] {
		if mine, proposed := r.proposals[r.slotOut]; proposed {
			delete(r.proposals, r.slotOut)
			if mine != cmd {
				r.waiting = append(r.waiting, mine) // its slot is lost: it is proposed again, some time
			}
		}
		slot := r.slotOut
		r.slotOut++
		if cmd.Leaders != "" || r.performed[id(cmd)] {
			continue
		}
		r.performed[id(cmd)] = true
		r.applied++
		result := fmt.Sprintf("version %d", r.applied)
		r.log.line("apply", "slot", slot, "cmd", cmd)
		r.log.line("reply", "dir", "out", "to", cmd.Client, "seq", cmd.Seq, "result", result)
		r.net.send(cmd.Client, message{kind: "reply", from: r.name, seq: cmd.Seq, result: result})
	}
}

// propose: now and then, not with each request.
func (r *replica) propose() {
	for len(r.waiting) > 0 && r.slotIn < r.slotOut+window {
		if change, ok := r.decisions[r.slotIn-window]; ok && change.Leaders != "" {
			r.leaders = []string{change.Leaders}
		}
		if _, decided := r.decisions[r.slotIn]; !decided {
			cmd := r.waiting[0]
			r.waiting = r.waiting[1:]
			r.proposals[r.slotIn] = cmd
			r.tell(r.slotIn, cmd, false)
		}
		r.slotIn++
	}
}

func (r *replica) tell(slot int, cmd command, again bool) {
	r.log.line("propose", "dir", "out", "to", r.leaders, "slot", slot, "cmd", cmd, "retry", again)
	for _, each := range r.leaders {
		r.net.send(each, message{kind: "propose", from: r.name, slot: slot, cmd: cmd})
	}
}

// again proposes once more what is not decided, to the leaders of its slot.
func (r *replica) again() {
	for slot, cmd := range r.proposals {
		if _, decided := r.decisions[slot]; !decided {
			now := r.leaders
			r.leaders = r.leadersOf(slot)
			r.tell(slot, cmd, true)
			r.leaders = now
		}
	}
}

func (r *replica) leadersOf(slot int) []string {
	for changed := slot - window; changed > 0; changed-- {
		if each, ok := r.decisions[changed]; ok && each.Leaders != "" {
			return []string{each.Leaders}
		}
	}
	return configurations[0].leaders
}
