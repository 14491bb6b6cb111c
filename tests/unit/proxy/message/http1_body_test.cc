#include "proxy/message/http1_body.h"

#include "tests/unit/proxy/net/socket_pair.h"

#include <boost/asio/error.hpp>
#include <gtest/gtest.h>

#include <string>

namespace telltale::proxy {
namespace {

using http1::Framing;

struct ReadCase {
  const char* description;
  http1::BodyFraming framing;
  Http1BodyReader::Chunks chunks;
  std::string sent;
  bool then_end;
  std::string octets;  // lent, in all
  std::string left;    // put back for the next message
};

const ReadCase read_cases[] = {
    {"no body: everything is the next message",
     {Framing::none, 0},
     Http1BodyReader::Chunks::verbatim,
     "GET /",
     false,
     "",
     "GET /"},
    {"counted", {Framing::content_length, 5}, Http1BodyReader::Chunks::verbatim, "helloGET /", false, "hello", "GET /"},
    {"chunks as they came, to the last chunk's line",
     {Framing::chunked, 0},
     Http1BodyReader::Chunks::verbatim,
     "5\r\nhello\r\n0\r\nX-T: 1\r\n\r\nGET /",
     false,
     "5\r\nhello\r\n0\r\n",
     "GET /"},
    {"chunks decoded",
     {Framing::chunked, 0},
     Http1BodyReader::Chunks::decoded,
     "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
     false,
     "hello!",
     ""},
    {"until the end", {Framing::until_close, 0}, Http1BodyReader::Chunks::verbatim, "all of it", true, "all of it", ""},
};

/// Sends `test.sent` in pieces cut at `cut` and reads the body.
void check(const ReadCase& test, std::size_t cut) {
  SCOPED_TRACE(std::string(test.description) + ", cut at " + std::to_string(cut));
  EventLoop loop;
  SocketPair pair(loop);
  Http1BodyReader reader;
  reader.start(pair.stream, test.framing, test.chunks);
  std::string octets;
  BodyPiece piece;
  const auto drain = [&] {
    Progress progress = Progress::done;
    while (!piece.last && (progress = reader.read(piece)) == Progress::done) octets += piece.octets;
    ASSERT_NE(progress, Progress::failed) << reader.error().message();
  };
  for (const std::string& part : {test.sent.substr(0, cut), test.sent.substr(cut)}) {
    if (part.empty()) continue;
    pair.send(part);
    run_until(loop, [&] { return pair.stream.descriptor().readable(); });
    drain();
  }
  if (test.then_end) {
    pair.other.reset();
    run_until(loop, [&] { return pair.stream.descriptor().saw_hangup(); });
    drain();
  }
  EXPECT_TRUE(piece.last || reader.finished());
  EXPECT_EQ(octets, test.octets);
  std::string left;
  for (ReadResult got; !(got = pair.stream.read()).error;) left += got.octets;
  EXPECT_EQ(left, test.left);
}

TEST(Http1BodyReader, ReadsByFramingWholeAndCutAtEveryOctet) {
  for (const ReadCase& test : read_cases) {
    for (std::size_t cut = 0; cut <= test.sent.size(); ++cut) check(test, cut);
  }
}

TEST(Http1BodyReader, EndBeforeTheLengthIsAFailure) {
  EventLoop loop;
  SocketPair pair(loop);
  Http1BodyReader reader;
  reader.start(pair.stream, {Framing::content_length, 5}, Http1BodyReader::Chunks::verbatim);
  pair.send("hel");
  pair.other.reset();
  run_until(loop, [&] { return pair.stream.descriptor().saw_hangup(); });
  BodyPiece piece;
  EXPECT_EQ(reader.read(piece), Progress::done);
  EXPECT_EQ(piece.octets, "hel");
  EXPECT_EQ(reader.read(piece), Progress::failed);
  EXPECT_EQ(reader.error(), boost::asio::error::eof);
}

struct WriterTest : ::testing::Test {
  WriterTest() { writer.start(pair.stream); }
  EventLoop loop;
  SocketPair pair{loop};
  Http1Writer writer;
  http::HeaderBlock no_trailers;
};

TEST_F(WriterTest, SendsTheHeadWithTheFirstPiece) {
  writer.staging() = "head\r\n\r\n";
  EXPECT_FALSE(writer.sent_any());
  EXPECT_EQ(writer.write({.octets = "body", .last = true}, no_trailers), Progress::done);
  EXPECT_TRUE(writer.sent_any());
  EXPECT_EQ(pair.receive(), "head\r\n\r\nbody");
}

TEST_F(WriterTest, KeepsALittleForItsTurnAndSendsMuchAtOnce) {
  writer.staging() = "head";
  const auto in_turn = Http1Writer::Leave::in_turn;
  EXPECT_EQ(writer.write({.octets = "body", .last = true}, no_trailers, in_turn), Progress::blocked);
  EXPECT_EQ(pair.receive(), "");
  EXPECT_EQ(writer.flush(), Progress::done);
  EXPECT_EQ(pair.receive(), "headbody");
  EXPECT_EQ(writer.write({.octets = "", .last = true}, no_trailers, in_turn), Progress::done) << "nothing to send";
  const std::string much(20'000, 'x');
  EXPECT_EQ(writer.write({.octets = much, .last = true}, no_trailers, in_turn), Progress::done);
  EXPECT_EQ(pair.receive(), much);
}

TEST_F(WriterTest, FramesPlainPiecesAsChunksAndLeavesChunksAlone) {
  writer.set_framing(Http1Writer::Framing::chunked);
  http::HeaderBlock trailers;
  trailers.append("X-Sum", "1");
  trailers.append("X-Forwarded-For", "192.0.2.1");  // says who the client is: never in a trailer
  EXPECT_EQ(writer.write({.octets = "twelve octet"}, no_trailers), Progress::done);
  EXPECT_EQ(writer.write({.octets = "3\r\nabc\r\n", .chunk_coded = true}, no_trailers), Progress::done);
  EXPECT_EQ(writer.write({.octets = "0\r\n", .chunk_coded = true, .last = true}, trailers), Progress::done);
  EXPECT_EQ(pair.receive(), "c\r\ntwelve octet\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n");
}

TEST_F(WriterTest, EmptyPieceIsNoChunkBecauseThatWouldEndTheBody) {
  writer.set_framing(Http1Writer::Framing::chunked);
  EXPECT_EQ(writer.write({.octets = ""}, no_trailers), Progress::done);
  EXPECT_EQ(pair.receive(), "");
}

TEST_F(WriterTest, KeepsWhatTheKernelRefusesAndLosesNothing) {
  std::string sent, got;
  writer.staging() = sent = "head";
  const std::string block(60'000, 'x');
  Progress progress = Progress::done;
  while (progress == Progress::done) {
    sent += block;
    progress = writer.write({.octets = block}, no_trailers);
  }
  ASSERT_EQ(progress, Progress::blocked);
  while (writer.has_pending()) {
    got += pair.receive();
    loop.run_once(std::chrono::milliseconds(0));
    ASSERT_NE(writer.flush(), Progress::failed);
  }
  for (std::string more; !(more = pair.receive()).empty();) got += more;
  EXPECT_EQ(got.size(), sent.size());
  EXPECT_EQ(got, sent);
}

TEST_F(WriterTest, TunnelEndIsAHalfCloseAfterTheLastOctet) {
  writer.set_framing(Http1Writer::Framing::tunnel);
  EXPECT_EQ(writer.write({.octets = "bye", .last = true}, no_trailers), Progress::done);
  EXPECT_EQ(pair.receive(), "bye");
  char octet;
  EXPECT_EQ(::recv(pair.other.get(), &octet, 1, 0), 0);
  pair.send("still");
  run_until(loop, [&] { return pair.stream.descriptor().readable(); });
  EXPECT_EQ(pair.stream.read().octets, "still");
}

/// A body in bulk on its way from one stream to another, as an exchange takes it.
struct BulkTest : WriterTest {
  /// Sends `sent` piece by piece behind a slow reader; what came out.
  std::string carry(http1::BodyFraming framing, const std::string& sent, bool then_end) {
    Http1BodyReader reader;
    reader.start(from.stream, framing, Http1BodyReader::Chunks::verbatim);
    std::string got;
    std::size_t at = 0;
    for (BodyPiece piece; !piece.last;) {
      while (at < sent.size() && !from.stream.descriptor().readable()) {
        const std::string part = sent.substr(at, 90'000);
        from.send(part);
        at += part.size();
        run_until(loop, [&] { return from.stream.descriptor().readable(); });
      }
      if (at == sent.size() && then_end) ::shutdown(from.other.get(), SHUT_WR);
      const Progress progress = reader.read(piece, writer.takes_pipes());
      loop.run_once(std::chrono::milliseconds(0));
      if (progress == Progress::blocked) continue;
      EXPECT_EQ(progress, Progress::done) << reader.error().message();
      if (progress != Progress::done) break;
      pipes += piece.pipe != nullptr;
      const bool last = piece.last;
      EXPECT_NE(writer.write(std::move(piece), no_trailers), Progress::failed);
      piece.last = last;
      while (writer.has_pending()) {
        got += pair.receive();
        loop.run_once(std::chrono::milliseconds(0));
        EXPECT_NE(writer.flush(), Progress::failed);
      }
      got += pair.receive();
    }
    EXPECT_EQ(reader.payload_octets(), got.size());
    EXPECT_EQ(writer.payload_octets(), got.size());
    return got;
  }
  SocketPair from{loop};
  unsigned pipes = 0;
};

std::string octets_of(std::size_t size) {
  std::string octets(size, '\0');
  for (std::size_t i = 0; i < size; ++i) octets[i] = static_cast<char>(i % 251);
  return octets;
}

TEST_F(BulkTest, CountedOctetsGoByPipesAndWhatIsBehindThemStays) {
  const std::string body = octets_of(1'000'003);
  EXPECT_EQ(carry({Framing::content_length, body.size()}, body + "GET / HTTP/1.1", false), body);
  EXPECT_GT(pipes, 0u);
  std::string left;
  for (ReadResult got; !(got = from.stream.read()).error;) left += got.octets;
  EXPECT_EQ(left, "GET / HTTP/1.1");
  EXPECT_EQ(PipePool::of(loop).in_use(), 0u);
}

TEST_F(BulkTest, OctetsUntilTheEndDoToo) {
  const std::string body = octets_of(500'000);
  EXPECT_EQ(carry({Framing::until_close, 0}, body, true), body);
  EXPECT_GT(pipes, 0u);
}

TEST_F(BulkTest, ChunksAreLookedAt) {
  const std::string chunk = "186a0\r\n" + octets_of(100'000) + "\r\n";
  writer.set_framing(Http1Writer::Framing::chunked);
  EXPECT_EQ(writer.takes_pipes(), Pipes::no);
  writer.set_framing(Http1Writer::Framing::plain);
  Http1BodyReader reader;
  reader.start(from.stream, {Framing::chunked, 0}, Http1BodyReader::Chunks::verbatim);
  for (int i = 0; i < 3; ++i) {
    from.send(chunk);
    run_until(loop, [&] { return from.stream.descriptor().readable(); });
    for (BodyPiece piece; reader.read(piece, Pipes::taken) == Progress::done;) EXPECT_EQ(piece.pipe, nullptr);
  }
}

TEST_F(BulkTest, AnEndBeforeTheLengthIsAFailure) {
  Http1BodyReader reader;
  reader.start(from.stream, {Framing::content_length, 1'000'000}, Http1BodyReader::Chunks::verbatim);
  from.send(octets_of(100'000));
  from.other.reset();
  run_until(loop, [&] { return from.stream.descriptor().saw_hangup(); });
  std::size_t size = 0;
  Progress progress = Progress::done;
  for (BodyPiece piece; (progress = reader.read(piece, Pipes::taken)) == Progress::done;) size += piece.size();
  EXPECT_EQ(size, 100'000u);
  EXPECT_EQ(progress, Progress::failed);
  EXPECT_EQ(reader.error(), boost::asio::error::eof);
}

TEST_F(BulkTest, WhatIsLeftInAPipeGoesWithTheWriter) {
  from.send(octets_of(100'000));
  run_until(loop, [&] { return from.stream.descriptor().readable(); });
  BodyPiece piece;
  piece.pipe = PipePool::of(loop).take();
  ASSERT_GT(piece.pipe->fill(from.stream).size, 0u);
  while (writer.write({.octets = octets_of(60'000)}, no_trailers) == Progress::done) {
  }
  EXPECT_EQ(writer.write(std::move(piece), no_trailers), Progress::blocked);
  EXPECT_EQ(PipePool::of(loop).in_use(), 1u);
  writer.release_memory();
  EXPECT_FALSE(writer.has_pending());
  EXPECT_EQ(PipePool::of(loop).in_use(), 0u);
  EXPECT_EQ(PipePool::of(loop).idle(), 0u) << "those octets are nobody else's";
}

}  // namespace
}  // namespace telltale::proxy
