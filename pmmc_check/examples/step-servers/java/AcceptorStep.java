// An acceptor in Java, as a step server. With --forget it has a bug: on a new ballot it forgets what it has accepted.
// Debian: apt-get install default-jdk-headless libgoogle-gson-java; then javac -cp /usr/share/java/gson.jar -d classes AcceptorStep.java
import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

public final class AcceptorStep {
    /** A ballot such as 0.L1; "-" is the one below all others. */
    record Ballot(int round, int leader) implements Comparable<Ballot> {
        static Ballot parse(String text) {
            String[] parts = text.split("\\.L");
            return parts.length == 2 ? new Ballot(Integer.parseInt(parts[0]), Integer.parseInt(parts[1])) : new Ballot(-1, 0);
        }

        @Override
        public int compareTo(Ballot other) {
            return Comparator.comparingInt(Ballot::round).thenComparingInt(Ballot::leader).compare(this, other);
        }

        @Override
        public String toString() {
            return round < 0 ? "-" : round + ".L" + leader;
        }
    }

    /** What is to be tested: an acceptor that knows nothing of JSON. */
    static final class Acceptor {
        Ballot ballot = Ballot.parse("-");
        final TreeSet<String> accepted = new TreeSet<>(); // pvalues such as 0.L1/1/C1:1:op1
        boolean forgets;

        void p1a(Ballot asked) {
            if (asked.compareTo(ballot) > 0) {
                ballot = asked;
                if (forgets) accepted.clear(); // the bug
            }
        }

        void p2a(Ballot asked, int slot, String command) {
            if (asked.equals(ballot)) accepted.add(asked + "/" + slot + "/" + command);
        }
    }

    static List<Object> step(Acceptor acceptor, JsonObject message) {
        String asked = message.get("b").getAsString();
        Ballot ballot = Ballot.parse(asked);
        if (message.get("msg").getAsString().equals("p1a")) {
            acceptor.p1a(ballot);
            return List.of(Map.of("to", asked, "msg", "p1b", "b", acceptor.ballot.toString(), "accepted", acceptor.accepted));
        }
        int slot = message.get("s").getAsInt();
        acceptor.p2a(ballot, slot, message.get("c").getAsString());
        return List.of(Map.of("to", asked + "/" + slot, "msg", "p2b", "b", acceptor.ballot.toString()));
    }

    public static void main(String[] arguments) throws IOException {
        Gson gson = new Gson();
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonObject asked = JsonParser.parseString(line).getAsJsonObject();
            String ask = asked.get("ask").getAsString();
            Acceptor acceptor = new Acceptor();
            acceptor.forgets = List.of(arguments).contains("--forget");
            if (asked.has("state")) {
                JsonObject state = asked.getAsJsonObject("state");
                acceptor.ballot = Ballot.parse(state.get("ballot").getAsString());
                for (JsonElement each : state.getAsJsonArray("accepted")) acceptor.accepted.add(each.getAsString());
            }
            Object id = asked.get("id");
            if (ask.equals("hello")) {
                out.println(gson.toJson(Map.of("id", id, "role", "acceptor", "name", "JavaAcceptor",
                        "symmetric", true, "only_halts", true, "restarts", true)));
                continue;
            }
            List<Object> sends = ask.equals("step") ? step(acceptor, asked.getAsJsonObject("message")) : List.of();
            Object state = Map.of("ballot", acceptor.ballot.toString(), "accepted", acceptor.accepted);
            out.println(gson.toJson(Map.of("id", id, "outcomes", List.of(Map.of("state", state, "sends", sends)))));
        }
    }
}
