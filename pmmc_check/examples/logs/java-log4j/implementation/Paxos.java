import java.util.ArrayDeque;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.apache.logging.log4j.ThreadContext;

/**
 * Three acceptors and two leaders that log with log4j, in the pattern of log4j2.xml. A ballot is one number, round * 2 + leader, and slots count
 * from 0. An acceptor says nothing to a request below its own ballot.
 * Messages may be lost, doubled and overtaken.
 *
 * java -cp log4j-api.jar:log4j-core.jar:. -Dlog4j2.configurationFile=log4j2.xml Paxos
 */
public class Paxos {
    static final Logger LOG = LogManager.getLogger(Paxos.class);
    static final ArrayDeque<Runnable> network = new ArrayDeque<>();
    static final Random random = new Random(11);
    static final Acceptor[] acceptors = {new Acceptor(0), new Acceptor(1), new Acceptor(2)};
    static final Leader[] leaders = {new Leader(0), new Leader(1)};

    record Value(int ballot, String command) {}

    static void log(String node, String text, Object... values) {
        ThreadContext.put("node", node);
        LOG.info(text, values);
    }

    static void send(Runnable delivery) {
        int copies = random.nextInt(12) == 0 ? 0 : random.nextInt(12) == 0 ? 2 : 1;
        for (; copies > 0; copies--) {
            if (random.nextInt(3) == 0) network.addFirst(delivery); else network.addLast(delivery);
        }
    }

    static class Acceptor {
        final int id;
        final TreeSet<String> accepted = new TreeSet<>();
        int promised = -1;

        Acceptor(int id) { this.id = id; }

        void prepare(int ballot) {
            log("acceptor-" + id, "prepare({})", ballot);
            if (ballot < promised) return; // no answer
            promised = ballot;
            TreeSet<String> known = new TreeSet<>(accepted);
            log("acceptor-" + id, "promise({}) accepted={}", ballot, known);
            send(() -> leaders[ballot % 2].promise(id, ballot, known));
        }

        void accept(int ballot, int slot, String command) {
            log("acceptor-" + id, "accept({}) slot={} value={}", ballot, slot, command);
            if (ballot != promised) return; // no answer
            accepted.add(slot + "=" + ballot + "/" + command);
            log("acceptor-" + id, "accepted({}) slot={}", ballot, slot);
            send(() -> leaders[ballot % 2].accepted(id, ballot, slot));
        }
    }

    static class Leader {
        final int id;
        final Map<Integer, String> values = new TreeMap<>();
        final Map<Integer, Value> found = new TreeMap<>();
        final TreeSet<Integer> promises = new TreeSet<>();
        final Map<String, String> asked = new TreeMap<>();
        final Map<String, TreeSet<Integer>> votes = new TreeMap<>();
        int ballot;
        boolean elected;

        Leader(int id) { this.id = id; this.ballot = id; }

        void begin() {
            log("leader-" + id, "preparing({})", ballot);
            int b = ballot;
            for (Acceptor each : acceptors) send(() -> each.prepare(b));
        }

        void next() { // gives up its ballot for the next one of its own
            ballot += 2;
            elected = false;
            promises.clear();
            found.clear();
            begin();
        }

        void promise(int from, int b, TreeSet<String> known) {
            log("leader-" + id, "promise({}) from={} accepted={}", b, from, known);
            if (b != ballot || elected) return;
            promises.add(from);
            for (String each : known) {
                String[] parts = each.split("[=/]", 3);
                int slot = Integer.parseInt(parts[0]), of = Integer.parseInt(parts[1]);
                if (!found.containsKey(slot) || found.get(slot).ballot() < of) found.put(slot, new Value(of, parts[2]));
            }
            if (promises.size() < 2) return;
            elected = true;
            found.forEach((slot, value) -> values.put(slot, value.command()));
            for (int slot = 0; slot < 4; slot++) {
                String command = values.computeIfAbsent(slot, s -> "client-" + id + ":" + s + ":set v" + s);
                int s = slot, mine = ballot;
                asked.put(mine + "/" + s, command);
                log("leader-" + id, "asking({}) slot={} value={}", ballot, slot, command);
                for (Acceptor each : acceptors) send(() -> each.accept(mine, s, command));
            }
        }

        void accepted(int from, int b, int slot) {
            log("leader-" + id, "accepted({}) from={} slot={}", b, from, slot);
            TreeSet<Integer> voters = votes.computeIfAbsent(b + "/" + slot, key -> new TreeSet<>());
            if (!voters.add(from) || voters.size() != 2) return;
            log("leader-" + id, "chosen({}) slot={} value={}", b, slot, asked.get(b + "/" + slot));
        }
    }

    public static void main(String[] arguments) {
        leaders[0].begin();
        for (int step = 1; step < 160; step++) {
            if (step == 20) leaders[1].begin();
            if (network.isEmpty() || step == 60 || step == 110) leaders[step / 50 % 2].next();
            if (step == 80) LOG.warn("slow disk", new IllegalStateException("fsync took 312 ms"));
            if (!network.isEmpty()) network.pollFirst().run();
        }
    }
}
