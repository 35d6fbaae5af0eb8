# The addon is node-nfqueue's: what `node-gyp rebuild` makes here goes where that package looks for it.
{
  "targets": [
    {
      "target_name": "addon",
      "type": "none",
      "dependencies": ["native/binding.gyp:node_nfqueue"],
      "copies": [{ "files": ["<(PRODUCT_DIR)/node_nfqueue.node"], "destination": "native/build/Release" }],
    }
  ]
}
