# The image that packaging/Containerfile describes: built and run, upon this root in place of Node's own image. Sourced, behind
# npm.sh.

try_container() {
  storage=$root/containers
  base=$(container from scratch)
  mounted=$(container mount "$base")
  tar -C "$root" --one-file-system --exclude=./containers -c . | tar -C "$mounted" -x
  for setting in "${settings[@]}" "http_proxy=${http_proxy:-}" "https_proxy=${https_proxy:-}"; do
    container config --env "$setting" "$base"
  done
  container commit --quiet --rm "$base" localhost/node >/dev/null
  container build --quiet --isolation chroot --pull-never --build-arg NODE=localhost/node --layers=false \
    --file "$project/packaging/Containerfile" --tag localhost/tlspin "$project" >build.log 2>&1 || { tail -n 30 build.log; exit 1; }

  # What an engine for containers does with `--cap-add NET_ADMIN`, as far as it concerns tlspin: that user, those capabilities.
  image=$(container from --pull-never localhost/tlspin)
  mounted=$(container mount "$image")
  user=$(container inspect --format '{{.OCIv1.Config.User}}' "$image")
  entry=$(container inspect --format '{{range .OCIv1.Config.Entrypoint}}{{.}} {{end}}{{range .OCIv1.Config.Cmd}}{{.}} {{end}}' "$image")
  is "$user" tlspin
  root=$mounted
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  # shellcheck disable=SC2086 # a word each
  engine_runs setpriv --reuid tlspin --regid tlspin --init-groups --bounding-set=-all,+net_admin $entry
  umount "$root/proc"
  umount --recursive "$root/dev"
  # What is tried next looks for traces of tlspin in all of the root.
  rm -rf --one-file-system "$storage"
}

container() {
  buildah --root "$storage/root" --runroot "$storage/run" --storage-driver vfs "$@"
}
