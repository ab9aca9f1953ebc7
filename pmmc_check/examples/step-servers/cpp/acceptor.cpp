// An acceptor in C++, as a step server. With --forget it has a bug: on a new ballot it forgets what it has accepted.
// Debian: apt-get install g++ nlohmann-json3-dev; then g++ -std=c++17 -O2 -o acceptor-step acceptor.cpp
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <tuple>

using nlohmann::json;

// A ballot such as 0.L1; "-" is the one below all others.
struct Ballot {
    int round = -1, leader = 0;

    static Ballot parse(const std::string &text) {
        Ballot found;
        std::sscanf(text.c_str(), "%d.L%d", &found.round, &found.leader);
        return found;
    }
    std::string text() const { return round < 0 ? "-" : std::to_string(round) + ".L" + std::to_string(leader); }
    bool operator<(const Ballot &other) const { return std::tie(round, leader) < std::tie(other.round, other.leader); }
    bool operator==(const Ballot &other) const { return round == other.round && leader == other.leader; }
};

// What is to be tested: an acceptor that knows nothing of JSON.
struct Acceptor {
    Ballot ballot;
    std::set<std::string> accepted;  // pvalues such as 0.L1/1/C1:1:op1
    bool forgets = false;

    void p1a(Ballot asked) {
        if (ballot < asked) {
            ballot = asked;
            if (forgets) accepted.clear();  // the bug
        }
    }
    void p2a(Ballot asked, int slot, const std::string &command) {
        if (asked == ballot) accepted.insert(asked.text() + "/" + std::to_string(slot) + "/" + command);
    }
};

json step(Acceptor &acceptor, const json &message) {
    const std::string asked = message["b"];
    if (message["msg"] == "p1a") {
        acceptor.p1a(Ballot::parse(asked));
        return {{{"to", asked}, {"msg", "p1b"}, {"b", acceptor.ballot.text()}, {"accepted", acceptor.accepted}}};
    }
    const int slot = message["s"];
    acceptor.p2a(Ballot::parse(asked), slot, message["c"]);
    return {{{"to", asked + "/" + std::to_string(slot)}, {"msg", "p2b"}, {"b", acceptor.ballot.text()}}};
}

int main(int count, char **arguments) {
    const bool forgets = count > 1 && std::string(arguments[1]) == "--forget";
    for (std::string line; std::getline(std::cin, line);) {
        const json asked = json::parse(line);
        Acceptor acceptor;
        acceptor.forgets = forgets;
        if (asked.contains("state")) {
            acceptor.ballot = Ballot::parse(asked["state"]["ballot"]);
            acceptor.accepted = asked["state"]["accepted"].get<std::set<std::string>>();
        }
        json answer = {{"role", "acceptor"}, {"name", "CppAcceptor"}, {"symmetric", true}, {"only_halts", true}, {"restarts", true}};
        if (asked["ask"] != "hello") {
            json sends = json::array();  // of start, and of restart: all is durable
            if (asked["ask"] == "step") sends = step(acceptor, asked["message"]);
            const json state = {{"ballot", acceptor.ballot.text()}, {"accepted", acceptor.accepted}};
            answer = {{"outcomes", json::array({{{"state", state}, {"sends", sends}}})}};
        }
        answer["id"] = asked["id"];
        std::cout << answer << std::endl;
    }
}
