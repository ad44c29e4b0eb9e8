/* Sizes, alignments and offsets of native-ffi section 8, checked by the compiler, whichever header declared the
 * structs. */
#ifndef JUDGE_LAYOUT_H
#define JUDGE_LAYOUT_H

#include <stddef.h>

#define SIZED(type, size, align)                          \
  _Static_assert(sizeof(type) == (size), "size of " #type); \
  _Static_assert(_Alignof(type) == (align), "alignment of " #type)
#define MEMBER(type, member, at) _Static_assert(offsetof(type, member) == (at), #type "." #member)

SIZED(TAOS_FIELD, 72, 4);
MEMBER(TAOS_FIELD, name, 0);
MEMBER(TAOS_FIELD, type, 65);
MEMBER(TAOS_FIELD, bytes, 68);

SIZED(TAOS_FIELD_E, 72, 4);
MEMBER(TAOS_FIELD_E, name, 0);
MEMBER(TAOS_FIELD_E, type, 65);
MEMBER(TAOS_FIELD_E, precision, 66);
MEMBER(TAOS_FIELD_E, scale, 67);
MEMBER(TAOS_FIELD_E, bytes, 68);

SIZED(TAOS_FIELD_ALL, 76, 4);
MEMBER(TAOS_FIELD_ALL, name, 0);
MEMBER(TAOS_FIELD_ALL, type, 65);
MEMBER(TAOS_FIELD_ALL, precision, 66);
MEMBER(TAOS_FIELD_ALL, scale, 67);
MEMBER(TAOS_FIELD_ALL, bytes, 68);
MEMBER(TAOS_FIELD_ALL, field_type, 72);

SIZED(TAOS_MULTI_BIND, 48, 8);
MEMBER(TAOS_MULTI_BIND, buffer_type, 0);
MEMBER(TAOS_MULTI_BIND, buffer, 8);
MEMBER(TAOS_MULTI_BIND, buffer_length, 16);
MEMBER(TAOS_MULTI_BIND, length, 24);
MEMBER(TAOS_MULTI_BIND, is_null, 32);
MEMBER(TAOS_MULTI_BIND, num, 40);

SIZED(TAOS_STMT_OPTIONS, 16, 8);
MEMBER(TAOS_STMT_OPTIONS, reqId, 0);
MEMBER(TAOS_STMT_OPTIONS, singleStbInsert, 8);
MEMBER(TAOS_STMT_OPTIONS, singleTableBindOnce, 9);

SIZED(TAOS_STMT2_OPTION, 32, 8);
MEMBER(TAOS_STMT2_OPTION, reqid, 0);
MEMBER(TAOS_STMT2_OPTION, singleStbInsert, 8);
MEMBER(TAOS_STMT2_OPTION, singleTableBindOnce, 9);
MEMBER(TAOS_STMT2_OPTION, asyncExecFn, 16);
MEMBER(TAOS_STMT2_OPTION, userdata, 24);

SIZED(TAOS_STMT2_BIND, 40, 8);
MEMBER(TAOS_STMT2_BIND, buffer_type, 0);
MEMBER(TAOS_STMT2_BIND, buffer, 8);
MEMBER(TAOS_STMT2_BIND, length, 16);
MEMBER(TAOS_STMT2_BIND, is_null, 24);
MEMBER(TAOS_STMT2_BIND, num, 32);

SIZED(TAOS_STMT2_BINDV, 32, 8);
MEMBER(TAOS_STMT2_BINDV, count, 0);
MEMBER(TAOS_STMT2_BINDV, tbnames, 8);
MEMBER(TAOS_STMT2_BINDV, tags, 16);
MEMBER(TAOS_STMT2_BINDV, bind_cols, 24);

SIZED(tmq_topic_assignment, 32, 8);
MEMBER(tmq_topic_assignment, vgId, 0);
MEMBER(tmq_topic_assignment, currentOffset, 8);
MEMBER(tmq_topic_assignment, begin, 16);
MEMBER(tmq_topic_assignment, end, 24);

SIZED(tmq_raw_data, 16, 8);
MEMBER(tmq_raw_data, raw, 0);
MEMBER(tmq_raw_data, raw_len, 8);
MEMBER(tmq_raw_data, raw_type, 12);

SIZED(TAOS_VGROUP_HASH_INFO, 12, 4);
MEMBER(TAOS_VGROUP_HASH_INFO, vgId, 0);
MEMBER(TAOS_VGROUP_HASH_INFO, hashBegin, 4);
MEMBER(TAOS_VGROUP_HASH_INFO, hashEnd, 8);

SIZED(TAOS_DB_ROUTE_INFO, 24, 8);
MEMBER(TAOS_DB_ROUTE_INFO, routeVersion, 0);
MEMBER(TAOS_DB_ROUTE_INFO, hashPrefix, 4);
MEMBER(TAOS_DB_ROUTE_INFO, hashSuffix, 6);
MEMBER(TAOS_DB_ROUTE_INFO, hashMethod, 8);
MEMBER(TAOS_DB_ROUTE_INFO, vgNum, 12);
MEMBER(TAOS_DB_ROUTE_INFO, vgHash, 16);

#endif
