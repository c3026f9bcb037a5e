# shellcheck shell=bash
# What images are built from, by git: the revision, and what the sources have beyond it. Called at the clone's top.

# What builds and the stack take in. Of files that git doesn't know only those below these count: bundles, notes and
# experiments of one's own say nothing of what ran, and may hold what is nobody else's business.
built_from=(Cargo.toml Cargo.lock build.rs .cargo .dockerignore src schema.sql docker docker-compose.yml lab)
# Link profiles are there for users to add their own: a series keeps those that it ran on.
but_links=':(exclude)experiments/links.toml'

# new_sources [-z]: those that git doesn't know, one a line.
new_sources() { git ls-files --others --exclude-standard "$@" -- "${built_from[@]}"; }

has_changes() { [ -n "$(git diff --name-only HEAD -- . "$but_links"; new_sources)" ]; }

# The commit, with `-dirty` where the sources have more than it holds.
revision() {
  local commit; commit=$(git rev-parse HEAD 2>/dev/null) || { echo unknown; return; }
  if has_changes; then commit+=-dirty; fi
  echo "$commit"
}

# What they have beyond it, for whoever gets a series made with it (`lab bundle --include-diff`). Without any, or without
# git, nothing: the image's layer stays the same.
difference() {
  local index file
  git rev-parse HEAD >/dev/null 2>&1 || return 0
  has_changes || return 0
  # In an index of its own: what the user has staged stays as it is.
  index=$(mktemp)
  cp "$(git rev-parse --git-path index)" "$index"
  new_sources -z | while IFS= read -r -d '' file; do
    GIT_INDEX_FILE=$index git --literal-pathspecs add --intent-to-add -- "$file"
  done
  GIT_INDEX_FILE=$index git diff --binary HEAD -- . "$but_links"
  rm -f "$index"
}
