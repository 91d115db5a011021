# The program alone: no shell, no libraries, no user database.
#
#     docker build --tag kortom .
#     docker run --rm --read-only --publish 5000:5000 kortom
#     docker run --rm --interactive kortom translate <article.txt
#     docker run --rm --read-only --volume kortom:/cache kortom models pull nl-en      # models stay in the volume
#
# The program is linked to musl, statically. With --build-arg PROGRAM=prebuilt it is not built but packaging/image/kortom, beside an
# empty folder packaging/image/cache. No image was built where this was written, for there was no Docker: `.ci/image` tries the same files
# as the root of a `chroot`.
ARG PROGRAM=build

FROM rust:1.95-alpine AS build
RUN apk add --no-cache make musl-dev gcc g++
WORKDIR /src
COPY . .
ENV CARGO_PROFILE_RELEASE_STRIP=symbols
RUN cargo build --locked --release && mkdir -p /out/cache && cp target/release/kortom /out/kortom

FROM scratch AS prebuilt
COPY packaging/image/ /out/

FROM ${PROGRAM} AS program

FROM scratch
COPY --from=program /out/kortom /kortom
# Written to only by `models pull`, and for eight-bit weights, which make the next start faster. Everything works without.
COPY --from=program --chown=65532:65532 /out/cache /cache
ENV HOME=/cache HF_HOME=/cache/huggingface XDG_CACHE_HOME=/cache XDG_CONFIG_HOME=/cache/config
USER 65532:65532
VOLUME /cache
EXPOSE 5000
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["/kortom", "doctor", "--server", "127.0.0.1:5000"]
ENTRYPOINT ["/kortom"]
CMD ["serve", "--host", "0.0.0.0"]
