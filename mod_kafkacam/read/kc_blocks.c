#include "kc_blocks.h"

#include <stdlib.h>
#include <string.h>

#define CHAINS 4096 /* a power of two; 64 MB are about 120 blocks of a usual camera */

struct kc_blocks_t {
    apr_size_t bytes_max;
    apr_size_t bytes;
    APR_RING_HEAD(used_t, kc_block_t) used;
    kc_block_t *chains[CHAINS];
};

static kc_block_t **chain_of(kc_blocks_t *blocks, int layer, apr_uint32_t cam, apr_int64_t first)
{
    apr_uint64_t key = (apr_uint64_t)(first / KC_BLOCK_RECORDS) * 2654435761u +
                       cam * (apr_uint64_t)40503 + (apr_uint64_t)layer;

    return &blocks->chains[(key ^ key >> 16) & (CHAINS - 1)];
}

static void forget_pictures(kc_blocks_t *blocks, kc_block_t *block)
{
    while (block->count > 0) {
        kc_frame_unref(block->frames[--block->count]);
    }
    blocks->bytes -= block->bytes;
    block->bytes = 0;
    block->end = block->first;
    block->next = -1;
    block->at_end = block->failed = block->read = 0;
    block->denied = 0;
}

static void destroy(kc_blocks_t *blocks, kc_block_t *block)
{
    kc_block_t **at = chain_of(blocks, block->layer, block->cam, block->first);

    while (*at != block) {
        at = &(*at)->chain;
    }
    *at = block->chain;
    APR_RING_REMOVE(block, used);
    forget_pictures(blocks, block);
    free(block);
}

static apr_status_t destroy_all(void *data)
{
    kc_blocks_t *blocks = data;

    while (!APR_RING_EMPTY(&blocks->used, kc_block_t, used)) {
        destroy(blocks, APR_RING_FIRST(&blocks->used));
    }
    return APR_SUCCESS;
}

kc_blocks_t *kc_blocks_create(apr_size_t bytes_max, apr_pool_t *pool)
{
    kc_blocks_t *blocks = apr_pcalloc(pool, sizeof(*blocks));

    blocks->bytes_max = bytes_max;
    APR_RING_INIT(&blocks->used, kc_block_t, used);
    apr_pool_cleanup_register(pool, blocks, destroy_all, apr_pool_cleanup_null);
    return blocks;
}

static void mark_used(kc_blocks_t *blocks, kc_block_t *block)
{
    APR_RING_REMOVE(block, used);
    APR_RING_INSERT_TAIL(&blocks->used, block, kc_block_t, used);
}

static void make_room(kc_blocks_t *blocks, const kc_block_t *spared)
{
    kc_block_t *block = APR_RING_FIRST(&blocks->used), *next;

    for (; blocks->bytes > blocks->bytes_max &&
           block != APR_RING_SENTINEL(&blocks->used, kc_block_t, used);
         block = next) {
        next = APR_RING_NEXT(block, used);
        if (block->state == KC_BLOCK_IDLE && block != spared) {
            destroy(blocks, block);
        }
    }
}

kc_block_t *kc_blocks_find(kc_blocks_t *blocks, int layer, apr_uint32_t cam, apr_int64_t offset)
{
    apr_int64_t first = offset - offset % KC_BLOCK_RECORDS;
    kc_block_t *block = *chain_of(blocks, layer, cam, first);

    while (block && (block->first != first || block->cam != cam || block->layer != layer)) {
        block = block->chain;
    }
    if (block) {
        mark_used(blocks, block);
    }
    return block;
}

kc_block_t *kc_blocks_make(kc_blocks_t *blocks, int layer, apr_uint32_t cam, apr_int64_t offset)
{
    kc_block_t *block = kc_blocks_find(blocks, layer, cam, offset);
    kc_block_t **chain;

    if (block) {
        return block;
    }
    block = calloc(1, sizeof(*block));
    if (!block) {
        abort();
    }
    block->layer = layer;
    block->cam = cam;
    block->first = block->end = offset - offset % KC_BLOCK_RECORDS;
    block->limit = block->first + KC_BLOCK_RECORDS;
    block->next = -1;
    block->bytes = sizeof(*block); /* its own counts too, so that empty ones do not gather */
    blocks->bytes += block->bytes;
    chain = chain_of(blocks, layer, cam, block->first);
    block->chain = *chain;
    *chain = block;
    APR_RING_INSERT_TAIL(&blocks->used, block, kc_block_t, used);
    make_room(blocks, block);
    return block;
}

void kc_blocks_add(kc_blocks_t *blocks, kc_block_t *block, kc_frame_t *frame)
{
    if (block->count == KC_BLOCK_RECORDS || frame->offset < block->end ||
        frame->offset >= block->limit) {
        kc_frame_unref(frame);
        return;
    }
    block->frames[block->count++] = frame;
    block->end = frame->offset + 1;
    block->bytes += frame->size;
    blocks->bytes += frame->size;
    make_room(blocks, block);
}

void kc_block_settle(kc_block_t *block, apr_int64_t end)
{
    if (end > block->end) {
        block->end = end < block->limit ? end : block->limit;
        block->at_end = 0;
    }
}

int kc_block_is_settled(const kc_block_t *block)
{
    return block->end >= block->limit;
}

kc_frame_t *kc_block_picture(const kc_block_t *block, apr_int64_t offset, int step)
{
    int i;

    if (step > 0) {
        for (i = 0; i < block->count; i++) {
            if (block->frames[i]->offset >= offset) {
                return block->frames[i];
            }
        }
        return NULL;
    }
    for (i = block->count - 1; i >= 0; i--) {
        if (block->frames[i]->offset <= offset) {
            return block->frames[i];
        }
    }
    return NULL;
}

void kc_blocks_drop(kc_blocks_t *blocks, kc_block_t *block)
{
    if (block->state == KC_BLOCK_IDLE) {
        destroy(blocks, block);
        return;
    }
    forget_pictures(blocks, block);
    block->bytes = sizeof(*block);
    blocks->bytes += block->bytes;
}

void kc_blocks_forget(kc_blocks_t *blocks, int layer, apr_uint32_t cam)
{
    kc_block_t *block = APR_RING_FIRST(&blocks->used), *next;

    for (; block != APR_RING_SENTINEL(&blocks->used, kc_block_t, used); block = next) {
        next = APR_RING_NEXT(block, used);
        if (block->layer == layer && block->cam == cam) {
            kc_blocks_drop(blocks, block);
        }
    }
}

apr_size_t kc_blocks_bytes(const kc_blocks_t *blocks)
{
    return blocks->bytes;
}
