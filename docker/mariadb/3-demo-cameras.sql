-- Run once by the mariadb image, in the database kafkacam.
INSERT INTO cameras (id, name, url) VALUES
    (1, 'Camera 1', 'rtsp://cameras:8554/1'),
    (2, 'Camera 2', 'rtsp://cameras:8554/2'),
    (3, 'Camera 3', 'rtsp://cameras:8554/3'),
    (4, 'Camera 4', 'rtsp://cameras:8554/4');
