package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// logger writes the lines that slog.New(slog.NewJSONHandler(file, nil)).With("node", name) writes: log/slog came with Go 1.21, and this
// program also builds with older ones.
type logger struct {
	file *os.File
	node string
}

func openLog(folder, node string) *logger {
	file, err := os.Create(filepath.Join(folder, node+".log"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	l := &logger{file, node}
	l.line("started", "pid", os.Getpid())
	return l
}

// line writes one line in one piece, before what it tells of has left the process.
func (l *logger) line(msg string, attributes ...any) {
	var text bytes.Buffer
	fmt.Fprintf(&text, `{"time":%q,"level":"INFO","msg":%q,"node":%q`, time.Now().UTC().Format("2006-01-02T15:04:05.000000000Z07:00"), msg, l.node)
	for i := 0; i+1 < len(attributes); i += 2 {
		value, err := json.Marshal(attributes[i+1])
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(&text, `,%q:%s`, attributes[i], value)
	}
	text.WriteString("}\n")
	if _, err := l.file.Write(text.Bytes()); err != nil {
		panic(err)
	}
}

func (l *logger) close() { l.file.Close() }
