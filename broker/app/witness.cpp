#include "broker/app/witness.hpp"

#include <ostream>

#include "broker/app/hub_connection.hpp"
#include "broker/app/json_line.hpp"
#include "broker/app/key_files.hpp"
#include "broker/app/verifier_keys.hpp"
#include "broker/base/clock.hpp"
#include "broker/storage/witness.hpp"

namespace carehub::app {
namespace {

ExitCode keygen(const WitnessOptions& options, Surroundings& surroundings) {
  SystemRandom random;
  const auto cosigner = storage::Cosigner::make(options.name, random);
  if (!cosigner) return complain(surroundings, cosigner.error());
  if (auto written = storage::write_cosigner(options.key, *cosigner); !written)
    return complain(surroundings, written.error());
  if (options.json) {
    surroundings.out << JsonLine().add("key", cosigner->public_text()).text() << std::endl;
  } else {
    surroundings.out << cosigner->public_text() << std::endl;
    surroundings.err << "give this line to the hub's people, who put it into their hub.toml:\n[[witness]]\n"
                     << "name = \"...\"\nkey = \"" << cosigner->public_text() << "\"" << std::endl;
  }
  return ExitCode::ok;
}

Result<client::ClientOptions> way_to_hub(const WitnessOptions& options) {
  client::ClientOptions client;
  client.endpoint = options.hub;
  client.client = "carehub witness";
  if (!options.hub.starts_with("tcp://")) return client;
  if (options.hub_public_file.empty() || options.secret_file.empty()) {
    return fail(ErrorKind::invalid,
                "over tcp:// a witness needs --hub-public-file, the hub's public key, and --secret-file, its "
                "own (`carehub keys`), whose public key the hub's people put into a [[client]]");
  }
  auto server = read_public_key(options.hub_public_file);
  if (!server) return tl::unexpected(server.error());
  auto own = read_secret_key(options.secret_file);
  if (!own) return tl::unexpected(own.error());
  client.curve = client::CurveKeys{*server, own->public_key, own->secret_key};
  return client;
}

Result<wire::RowT> only_row(client::HubClient& hub, wire::QueryT query) {
  auto page = ask(hub, std::move(query));
  if (!page) return tl::unexpected(page.error());
  if (page->rows.size() != 1)
    return fail(ErrorKind::invalid, "the hub answered with another number of rows than one");
  return std::move(*page->rows.front());
}

Result<storage::Tile> read_tile(client::HubClient& hub, storage::TileId id, std::size_t width) {
  wire::QueryT query;
  query.kind = wire::QueryKind::tile;
  query.path = storage::tile_path(id, width);
  const auto row = only_row(hub, std::move(query));
  if (!row) return tl::unexpected(row.error());
  storage::Tile tile(row->hashes.size());
  if (tile.size() != width) return fail(ErrorKind::invalid, "the hub's tile has another width than its name");
  for (std::size_t at = 0; at < width; ++at)
    std::copy_n(row->hashes[at].bytes()->begin(), tile[at].size(), tile[at].begin());
  return tile;
}

/// One look: reads, checks, signs and hands in. Keys are read each time, so that a new one of the hub's needs
/// no restart.
Result<storage::Witness::Cosignature> look(const WitnessOptions& options, storage::Witness& witness,
                                           client::HubClient& hub, std::uint64_t now_s,
                                           Surroundings& surroundings) {
  // A question would wait for it for a minute, and nobody could stop this meanwhile.
  if (!hub.connected()) return fail(ErrorKind::unavailable, "the hub is away; the next look tries again");
  const auto keys = read_verifier_keys(options.keys, surroundings);
  if (!keys) return tl::unexpected(keys.error());
  wire::QueryT query;
  query.kind = wire::QueryKind::checkpoint;
  const auto shown = only_row(hub, std::move(query));
  if (!shown) return tl::unexpected(shown.error());
  auto cosigned = witness.look(
      shown->text, *keys, [&hub](storage::TileId id, std::size_t width) { return read_tile(hub, id, width); },
      now_s);
  if (!cosigned) return cosigned;
  wire::CosignT frame;
  frame.checkpoint = cosigned->checkpoint;
  if (const auto taken = ask(hub, std::move(frame)); !taken) return tl::unexpected(taken.error());
  return cosigned;
}

void say(const storage::Witness::Cosignature& cosigned, Timestamp at, bool json, std::ostream& out) {
  if (json) {
    out << JsonLine()
               .add("origin", cosigned.origin)
               .add("entries", cosigned.size)
               .add("cosigned_at", to_rfc3339(at))
               .text()
        << std::endl;
  } else {
    out << to_rfc3339(at) << "  cosigned " << cosigned.size << " entries of " << cosigned.origin << std::endl;
  }
}

/// Goes on until it is asked to stop, or finds another history. What is wrong is said once, until it is
/// something else.
ExitCode look_on(const WitnessOptions& options, storage::Witness& witness, client::HubClient& hub,
                 Surroundings& surroundings) {
  const SystemClock clock;
  std::string told;
  do {
    const Timestamp now = clock.now();
    const auto cosigned =
        look(options, witness, hub, static_cast<std::uint64_t>(now.us / kSecondUs), surroundings);
    if (cosigned) {
      if (cosigned->grown || !told.empty()) say(*cosigned, now, options.json, surroundings.out);
      told.clear();
      continue;
    }
    const Error& error = cosigned.error();
    if (error.kind == ErrorKind::corrupt) return complain(surroundings, error);
    if (error.text != told) complain(surroundings, error);
    told = error.text;
  } while (!surroundings.stopped_within(std::chrono::seconds(options.interval_s)));
  return ExitCode::ok;
}

}  // namespace

ExitCode witness(const WitnessOptions& options, Surroundings& surroundings) {
  if (options.action == WitnessOptions::Action::keygen) return keygen(options, surroundings);
  auto cosigner = storage::read_cosigner(options.key);
  if (!cosigner && cosigner.error().kind == ErrorKind::not_found) {
    return complain(surroundings, ExitCode::not_found,
                    cosigner.error().text + ". Make one: carehub witness keygen --name NAME --key " +
                        options.key.string());
  }
  if (!cosigner) return complain(surroundings, cosigner.error());
  const auto way = way_to_hub(options);
  if (!way) return complain(surroundings, way.error());
  // A wrong file of keys is found before anything waits for a hub.
  if (const auto keys = read_verifier_keys(options.keys, surroundings); !keys)
    return complain(surroundings, keys.error());
  auto memory = storage::WitnessMemory::open(options.memory);
  if (!memory) return complain(surroundings, ExitCode::storage, memory.error().text);
  storage::Witness witness(*std::move(memory), *std::move(cosigner));
  std::string told;
  auto hub = connect(*way, "there");
  while (!hub) {
    if (options.once || hub.error().kind != ErrorKind::unavailable)
      return complain(surroundings, hub.error());
    if (hub.error().text != told) complain(surroundings, hub.error());
    told = hub.error().text;
    if (surroundings.stopped_within(std::chrono::seconds(options.interval_s))) return ExitCode::ok;
    hub = connect(*way, "there");
  }
  if (!options.once) return look_on(options, witness, **hub, surroundings);
  const Timestamp now = SystemClock().now();
  const auto cosigned =
      look(options, witness, **hub, static_cast<std::uint64_t>(now.us / kSecondUs), surroundings);
  if (!cosigned) return complain(surroundings, cosigned.error());
  say(*cosigned, now, options.json, surroundings.out);
  return ExitCode::ok;
}

}  // namespace carehub::app
