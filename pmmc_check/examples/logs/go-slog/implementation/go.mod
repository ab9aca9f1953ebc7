module example/paxos

go 1.18
