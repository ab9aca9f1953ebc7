// A multi-Paxos of its own: acceptors, leaders and replicas are goroutines that send each other messages over a network
// which loses, doubles and delays them. Replicas propose lazily, everybody sends again what was not answered, and a command
// of a client moves the system to other leaders and acceptors. Each process writes a log, in the lines that log/slog writes.
//
//	go run . -out logs -commands 12 [-bug forgets-promise|forgets-accepted|decides-early]
package main

import (
	"flag"
	"fmt"
	"math/rand"
	"os"
	"sync"
	"time"
)

var (
	out      = flag.String("out", "logs", "the folder of the logs")
	commands = flag.Int("commands", 12, "how many commands the clients want performed")
	bug      = flag.String("bug", "", "forgets-promise, forgets-accepted or decides-early")
	seed     = flag.Int64("seed", 1, "of losses and delays; what the goroutines make of them differs from run to run")
	limit    = flag.Duration("limit", 10*time.Second, "give up after so long")
)

const window = 4

// configurations: which leaders use which acceptors; the first is in force at the beginning.
var configurations = []struct{ leaders, acceptors []string }{
	{[]string{"leader-1", "leader-2"}, []string{"acceptor-1", "acceptor-2", "acceptor-3"}},
	{[]string{"leader-3"}, []string{"acceptor-4", "acceptor-5", "acceptor-6"}},
}
var replicas = []string{"replica-1", "replica-2"}

type ballot struct {
	N    int    `json:"n"`
	Node string `json:"node"`
}

func (b ballot) less(other ballot) bool {
	return b.N < other.N || (b.N == other.N && b.Node < other.Node)
}

// command: what a client wants, or (with leaders) the change to another configuration.
type command struct {
	Client  string `json:"client"`
	Seq     int    `json:"seq"`
	Op      string `json:"op,omitempty"`
	Leaders string `json:"leaders,omitempty"`
}

type pvalue struct {
	Ballot *ballot `json:"ballot"`
	Slot   int     `json:"slot"`
	Cmd    command `json:"cmd"`
}

// message: one struct for all kinds; each uses some of the fields.
type message struct {
	kind, from string
	ballot     *ballot // nil: the acceptor has promised nothing yet
	attempt    ballot  // the ballot that an answer is about
	slot       int
	cmd        command
	accepted   []pvalue
	seq        int
	result     string
}

// network: mailboxes, and what happens on the way to them.
type network struct {
	mu    sync.Mutex
	rng   *rand.Rand
	boxes map[string]chan message
}

func (n *network) send(to string, m message) {
	n.mu.Lock()
	copies := 1
	if p := n.rng.Float64(); m.kind == "reply" {
		// clients are near: what a replica answers once arrives
	} else if p < 0.05 {
		copies = 0
	} else if p < 0.10 {
		copies = 2
	}
	for ; copies > 0; copies-- {
		delay := time.Duration(n.rng.ExpFloat64() * float64(time.Millisecond))
		box := n.boxes[to]
		time.AfterFunc(delay, func() {
			select {
			case box <- m:
			default: // a full mailbox loses messages, too
			}
		})
	}
	n.mu.Unlock()
}

// process: a goroutine with a mailbox, a clock and a log.
type process struct {
	name string
	net  *network
	log  *logger
}

func (p *process) run(done <-chan struct{}, wg *sync.WaitGroup, tick time.Duration, receive func(message), ticked func()) {
	defer wg.Done()
	box := p.net.boxes[p.name]
	clock := time.NewTicker(tick)
	defer clock.Stop()
	for {
		select {
		case <-done:
			p.log.close()
			return
		case m := <-box:
			receive(m)
		case <-clock.C:
			ticked()
		}
	}
}

func main() {
	flag.Parse()
	if err := os.MkdirAll(*out, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	net := &network{rng: rand.New(rand.NewSource(*seed)), boxes: map[string]chan message{}}
	done, wg := make(chan struct{}), &sync.WaitGroup{}
	start := func(name string, tick time.Duration, of func(*process) (func(message), func())) {
		p := &process{name, net, openLog(*out, name)}
		receive, ticked := of(p)
		wg.Add(1)
		go p.run(done, wg, tick, receive, ticked)
	}
	for _, each := range configurations {
		for _, name := range append(append([]string{}, each.leaders...), each.acceptors...) {
			net.boxes[name] = make(chan message, 1000)
		}
	}
	for _, name := range append([]string{"client-1", "client-2"}, replicas...) {
		net.boxes[name] = make(chan message, 1000)
	}
	for _, each := range configurations {
		for _, name := range each.acceptors {
			start(name, time.Hour, newAcceptor)
		}
	}
	for _, name := range replicas {
		start(name, 3*time.Millisecond, newReplica)
	}
	for _, each := range configurations {
		acceptors := each.acceptors
		for _, name := range each.leaders {
			start(name, 8*time.Millisecond, func(p *process) (func(message), func()) { return newLeader(p, acceptors) })
		}
	}
	if !runClients(net, *commands, *limit) {
		fmt.Fprintln(os.Stderr, "not all commands were performed in time")
	}
	time.Sleep(20 * time.Millisecond)
	close(done)
	wg.Wait()
}

// runClients: two clients send their commands to all replicas until one has answered; the first changes the configuration halfway.
func runClients(net *network, count int, limit time.Duration) bool {
	finished := make(chan bool, 2)
	for number := 1; number <= 2; number++ {
		name := fmt.Sprintf("client-%d", number)
		first := number == 1
		go func() {
			deadline := time.Now().Add(limit)
			for seq := 1; seq <= count/2; seq++ {
				cmd := command{Client: name, Seq: seq, Op: fmt.Sprintf("put x%d", seq)}
				if first && seq == count/4 {
					// nobody answers a change of the configuration, so the client does not wait for it
					change := command{Client: name, Seq: 1000, Leaders: configurations[1].leaders[0]}
					for again := 0; again < 3; again++ {
						for _, each := range replicas {
							net.send(each, message{kind: "submit", from: name, cmd: change})
						}
					}
				}
				for answered := false; !answered; {
					if time.Now().After(deadline) {
						finished <- false
						return
					}
					for _, each := range replicas {
						net.send(each, message{kind: "submit", from: name, cmd: cmd})
					}
					again := time.After(25 * time.Millisecond)
					for waiting := true; waiting && !answered; {
						select {
						case m := <-net.boxes[name]:
							answered = m.seq == seq
						case <-again:
							waiting = false
						}
					}
				}
			}
			finished <- true
		}()
	}
	first, second := <-finished, <-finished
	return first && second
}
