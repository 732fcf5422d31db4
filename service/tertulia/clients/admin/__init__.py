"""``tertulia admin``: looking after a whole deployment, over Redis, from anywhere."""
