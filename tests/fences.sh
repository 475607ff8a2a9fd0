#!/bin/sh
# The fences: who may include what. Three rules, checked over the sources' #include lines.
#
# 1. One foreign library, one .c file, and none of its types in a header of ours.
# 2. Includes point upstream along the data's way: a file includes ours only from earlier in its
#    half's list. What flows back is a callback, set at wiring time.
# 3. Rooms: of the module, read knows neither send nor answer, send does not know answer; the
#    producer's supervisor and camera know what they share, and not each other.
# shellcheck disable=SC2010,SC2044,SC2013,SC2046,SC2086 # lists of our own files: no blanks in their names
set -u
cd "${top_srcdir:-$(dirname "$0")/..}" || exit 1

wire="kc_wire kc_marks"
shared="$wire clock mem once log value settings job kafka url"
supervisor="$shared conf catalog topics status notify process slot supervisor main"
camera="$shared options sandbox picture gop address tls line ports jfif digest rtsp sdp rtp depacket_unit depacket_parts depacket_nal depacket_jpeg depacket session decode pace scale colour jpeg sink outlet meter camera"
module="$wire kc_thread kc_child kc_config kc_counters kc_moment kc_frame kc_hub kc_doorbell kc_jpeg kc_state kc_notice kc_life kc_roster kc_verdict kc_reach kc_blocks kc_kafka kc_record kc_past kc_lag kc_feed kc_keeper kc_painter kc_source kc_mjpeg kc_choice kc_playback kc_lease kc_bucket kc_http1 kc_clients kc_advice kc_timers kc_stopwatch kc_step kc_channels kc_viewer kc_blocking kc_line kc_grave kc_asker kc_pump kc_selection kc_time kc_query kc_mkv kc_zip kc_permission kc_origin kc_web kc_page kc_then kc_replay kc_times kc_clip kc_cam kc_cameras kc_status mod_kafkacam"

module_sources=$(find mod_kafkacam -name '*.[ch]' ! -name kc_web.c)
sources="$(find wire producer -name '*.[ch]') $module_sources"

failed=0
fail()
{
    echo "fences: $*" >&2
    failed=1
}

# foreign NAME REGEXP FILE...: headers that match REGEXP are included by these files alone.
foreign()
{
    library=$1 regexp=$2
    shift 2
    for file in $(grep -lE "^#include <($regexp)" $sources); do
        case " $* " in
        *" $file "*) ;;
        *) fail "$file includes $library, which is for $* alone" ;;
        esac
    done
}

foreign MariaDB 'mysql|mariadb' producer/supervisor/catalog.c
foreign libsystemd 'systemd/' producer/supervisor/notify.c
foreign inih 'ini\.h' producer/supervisor/conf.c
foreign FFmpeg 'libav(format|codec|util)/' producer/camera/decode.c producer/camera/scale.c
foreign "FFmpeg's libswscale" 'libswscale/' producer/camera/scale.c
foreign GnuTLS 'gnutls/' producer/camera/tls.c
foreign Nettle 'nettle/' producer/camera/digest.c
foreign libseccomp 'seccomp\.h' producer/camera/sandbox.c
foreign TurboJPEG 'turbojpeg' mod_kafkacam/read/kc_notice.c
foreign libjpeg 'jpeglib' producer/camera/jpeg.c
foreign librdkafka 'librdkafka/' producer/kafka.h mod_kafkacam/read/kc_kafka.c
foreign jansson 'jansson' producer/job.c producer/supervisor/status.c mod_kafkacam/read/kc_state.c
foreign OpenSSL 'openssl/' mod_kafkacam/answer/kc_clip.c
foreign zlib 'zlib\.h' mod_kafkacam/answer/kc_zip.c
foreign "APR or httpd" 'apr|httpd|http_|ap_|util_' $module_sources
foreign httpd 'httpd|http_|ap_|util_filter|mod_' \
    $(echo $module_sources | tr ' ' '\n' | grep -vE '/kc_(frame|hub|zip|mkv|time|playback|blocks|doorbell|jpeg|state|notice|moment|life|roster|verdict|reach|mjpeg|choice|thread|timers|step|channels|selection|query|web)\.')

# ordered DIRECTORY LIST...: each file of the list includes only itself and what stands before it.
ordered()
{
    directory=$1
    shift
    before=
    for noun in "$@"; do
        before="$before $noun"
        for file in $(find "$directory" -name "$noun.[ch]"); do
            for header in $(sed -n 's/^#include "\(.*\)\.h"$/\1/p' "$file"); do
                case " $before config " in
                *" $header "*) ;;
                *) fail "$file includes $header.h, which is not upstream of it" ;;
                esac
            done
        done
    done
}

ordered producer $shared
ordered producer/supervisor $supervisor
ordered producer/camera $camera
ordered mod_kafkacam $module

# Nothing outside the lists: a new noun gets its place.
# placed LIST FILE...
placed()
{
    list=$1
    shift
    for file in "$@"; do
        noun=$(basename "${file%.[ch]}")
        case " $list " in *" $noun "*) ;; *) fail "$file has no place in the order" ;; esac
    done
}

placed "$shared" producer/*.[ch]
placed "$supervisor" producer/supervisor/*.[ch]
placed "$camera" producer/camera/*.[ch]
placed "$module" $module_sources

# apart ROOM OTHER...: what stands in ROOM includes nothing of the OTHERs.
apart()
{
    room=$1
    shift
    for header in $(find "$@" -name '*.h' -exec basename {} \;); do
        for file in $(grep -lF "#include \"$header\"" "$room"/*.[ch]); do
            fail "$file includes $header: $room knows nothing of $*"
        done
    done
}

apart producer/camera producer/supervisor
apart producer/supervisor producer/camera
apart mod_kafkacam/read mod_kafkacam/send mod_kafkacam/answer
apart mod_kafkacam/send mod_kafkacam/answer

exit $failed
